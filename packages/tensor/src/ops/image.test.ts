import { expect, it } from "vitest";
import { dispose, grad, type InterpolateOptions, interpolate, sum, tensor, zeros } from "../index.js";
import { describeEachDevice, expectFixtureCase, expectNoLeak, loadFixture } from "../testing/index.js";

const fixture = await loadFixture(new URL("../../fixtures/ops-image.safetensors", import.meta.url));

const SIZES = { up: [7, 9], down: [2, 3], mixed: [3, 11], one: [1, 1], same: [5, 6] };
const CASES: Record<string, InterpolateOptions> = {
  "nearest/long": { size: [1, 100] },
  "nearest/shrink": { size: [41, 1], mode: "nearest" },
  "bilinear/thin": { size: [1, 3], mode: "bilinear" },
  "bicubic/thin": { size: [4, 3], mode: "bicubic" },
  "nearest/factor": { scaleFactor: [1.3, 0.7] },
  "bilinear/factor": { scaleFactor: [1.3, 0.7], mode: "bilinear" },
  "bicubic/factor": { scaleFactor: [1.3, 0.7], mode: "bicubic" },
  "bicubic/factor/antialias": { scaleFactor: [1.5, 0.4], mode: "bicubic", antialias: true },
  "bilinear/factor/corners": { scaleFactor: 1.5, mode: "bilinear", alignCorners: true },
  "sequence/nearest": { scaleFactor: 1.5 },
  "sequence/linear": { scaleFactor: 1.5, mode: "linear" },
  "sequence/linear/corners": { size: 8, mode: "linear", alignCorners: true },
  "volume/nearest": { size: [2, 7, 5] },
  "volume/trilinear": { scaleFactor: [1.5, 2, 0.7], mode: "trilinear" },
  "volume/trilinear/corners": { size: [2, 7, 4], mode: "trilinear", alignCorners: true },
  "bicubic/large": { size: [8, 5], mode: "bicubic", antialias: true },
};
for (const [name, size] of Object.entries(SIZES)) {
  CASES[`nearest/${name}`] = { size };
  for (const mode of ["bilinear", "bicubic"] as const) {
    CASES[`${mode}/${name}`] = { size, mode };
    CASES[`${mode}/${name}/corners`] = { size, mode, alignCorners: true };
    CASES[`${mode}/${name}/antialias`] = { size, mode, antialias: true };
    CASES[`${mode}/${name}/antialiasCorners`] = { size, mode, antialias: true, alignCorners: true };
  }
}

describeEachDevice("interpolate", () => {
  for (const [name, options] of Object.entries(CASES))
    it(`${name} equals PyTorch, gradient included`, () =>
      expectFixtureCase(fixture, name, ([x]) => interpolate(x, options)));

  it("takes an empty batch and keeps a NaN in its place", async () => {
    const empty = zeros([0, 2, 2, 3]);
    const y = interpolate(empty, { size: 4, mode: "bilinear" });
    expect(y.shape).toEqual([0, 4, 4, 3]);
    const x = tensor([Number.NaN, 1, 2, 3], [1, 4, 1, 1]);
    const z = interpolate(x, { size: [2, 1], mode: "bilinear" });
    await expect(z).toBeCloseToTensor({ shape: [1, 2, 1, 1], dtype: "float32", values: [Number.NaN, 2.5] });
    dispose([empty, y, x, z]);
  });

  it("leaks nothing and refuses what does not fit", async () => {
    const x = zeros([1, 3, 3, 2]);
    await expectNoLeak(() =>
      dispose(grad((value) => sum(interpolate(value, { size: 5, mode: "bicubic" })), [x])),
    );
    expect(() => interpolate(x, { size: 0 })).toThrow(/size as an integer of at least 1/);
    expect(() => interpolate(x, { size: 2, mode: "area" as never })).toThrow(
      /mode nearest or nearest-exact or bilinear or bicubic/,
    );
    expect(() => interpolate(x, { size: 2, antialias: true })).toThrow(/only with bilinear or bicubic/);
    expect(() => interpolate(zeros([3, 2]), { size: 2 })).toThrow(/\[batch, height, width, channels\]/);
    expect(() => interpolate(zeros([1, 3, 2]), { size: 2, mode: "bilinear" })).toThrow(
      /mode nearest or nearest-exact or linear/,
    );
    expect(() => interpolate(x, { size: 2, scaleFactor: 2 })).toThrow(
      /one of size and scaleFactor, got both/,
    );
    expect(() => interpolate(x, { scaleFactor: [2, 0] })).toThrow(/scaleFactor as a number above 0/);
    expect(() => interpolate(x, { scaleFactor: 0.2 })).toThrow(/leaves a cell of 3/);
    expect(() => interpolate(zeros([1, 3, 3, 2], "int32"), { size: 2 })).toThrow(/expected float32/);
    dispose(x);
  });
});
