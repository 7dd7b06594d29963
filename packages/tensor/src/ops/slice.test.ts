import { expect, it } from "vitest";
import {
  dispose,
  grad,
  narrow,
  pad,
  read,
  slice,
  stridedSlice,
  sum,
  type Tensor,
  tensor,
  zeros,
} from "../index.js";
import { describeEachDevice, expectFixtureCase, expectNoLeak, loadFixture } from "../testing/index.js";

const fixture = await loadFixture(new URL("../../fixtures/ops-slice.safetensors", import.meta.url));

const CASES: Record<string, (x: Tensor) => Tensor> = {
  "slice/block": (x) => slice(x, [1, 0, 2], [2, 2, -1]),
  "slice/empty": (x) => slice(x, [0, 2, 0], [-1, 0, -1]),
  "slice/rank6": (x) => slice(x, [0, 0, 1, 0, 0, 1], [-1, -1, -1, -1, 1, -1]),
  "narrow/negative": (x) => narrow(x, { axis: -1, start: -3, length: 2 }),
  "stridedSlice/steps": (x) => stridedSlice(x, { begin: [null, 1, -4], end: [null, 4, -1], strides: [2, 2] }),
  "stridedSlice/reverse": (x) => stridedSlice(stridedSlice(x, { strides: [1, -1] }), { strides: [1, 3] }),
  "pad/constant": (x) =>
    pad(
      x,
      [
        [2, 0],
        [0, 1],
        [1, 2],
      ],
      { value: 1.5 },
    ),
  "pad/rank5": (x) =>
    pad(x, [
      [1, 1],
      [0, 0],
      [1, 0],
      [0, 2],
      [1, 1],
    ]),
  "pad/reflect": (x) =>
    pad(
      x,
      [
        [0, 0],
        [1, 3],
        [4, 2],
      ],
      { mode: "reflect" },
    ),
  "pad/replicate": (x) =>
    pad(
      x,
      [
        [0, 0],
        [0, 3],
        [7, 2],
      ],
      { mode: "replicate" },
    ),
  "pad/circular": (x) =>
    pad(
      x,
      [
        [0, 0],
        [0, 0],
        [1, 4],
        [5, 2],
      ],
      { mode: "circular" },
    ),
};

describeEachDevice("slice and pad", () => {
  for (const [name, compute] of Object.entries(CASES))
    it(`${name} equals PyTorch`, () => expectFixtureCase(fixture, name, ([x]) => compute(x)));

  it("moves integers beyond 2^24 and booleans without changing them", async () => {
    const x = fixture.tensor("integers/input0");
    const results = {
      slice: slice(x, [0, 1], [-1, -1]),
      pad: pad(
        x,
        [
          [0, 1],
          [1, 0],
        ],
        { value: 16777219 },
      ),
      circular: pad(
        x,
        [
          [0, 0],
          [1, 1],
        ],
        { mode: "circular" },
      ),
    };
    for (const [name, result] of Object.entries(results))
      await expect(result).toBeCloseToTensor(fixture.host(`integers/${name}`), {
        relative: 0,
        absoluteScale: 0,
      });
    const flags = tensor([true, false, true]);
    const padded = pad(flags, [[1, 1]], { value: 5 });
    expect(padded.dtype).toBe("bool");
    expect([...(await read(padded))].map(Boolean)).toEqual([true, true, false, true, true]);
    dispose([x, results, flags, padded]);
  });

  it("keeps NaN and infinities", async () => {
    const x = tensor([Number.NaN, Number.POSITIVE_INFINITY, -0]);
    const y = pad(x, [[1, 0]], { value: Number.NEGATIVE_INFINITY });
    expect([...(await read(y))]).toEqual([
      Number.NEGATIVE_INFINITY,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      -0,
    ]);
    dispose([x, y]);
  });

  it("takes axes of size 0", async () => {
    const x = zeros([2, 0]);
    const grown = pad(x, [
      [0, 0],
      [1, 1],
    ]);
    const same = slice(x, [1, 0], [1, 0]);
    await expect(grown).toBeCloseToTensor({ shape: [2, 2], dtype: "float32", values: [0, 0, 0, 0] });
    expect(same.shape).toEqual([1, 0]);
    dispose([x, grown, same]);
  });

  it("pads long axes as it pads short ones", async () => {
    const length = 5000;
    const x = tensor(
      Float32Array.from({ length: 2 * length }, (_, i) => i),
      [2, length],
    );
    const cell = {
      reflect: (i: number) => (i < 0 ? -i : i >= length ? 2 * (length - 1) - i : i),
      replicate: (i: number) => Math.min(length - 1, Math.max(0, i)),
      circular: (i: number) => (i + length) % length,
    };
    for (const mode of ["reflect", "replicate", "circular"] as const)
      for (const [before, after] of [
        [3, 2],
        [0, 2],
        [3, 0],
      ]) {
        const ends = { mode } as const;
        const padded = pad(x, [[0, 0], [before, after]], ends); // biome-ignore format: one row an axis
        const width = before + length + after;
        const source = (i: number): number =>
          Math.floor(i / width) * length + cell[mode]((i % width) - before);
        const values = Float32Array.from({ length: 2 * width }, (_, i) => source(i));
        await expect(padded).toBeCloseToTensor({ shape: [2, width], dtype: "float32", values });
        // each cell counts as often as it was copied
        const counts = new Float32Array(2 * length);
        for (let i = 0; i < 2 * width; i++) counts[source(i)]++;
        const [gradient] = grad((v) => sum(pad(v, [[0, 0], [before, after]], ends)), [x]); // biome-ignore format: one row an axis
        await expect(gradient).toBeCloseToTensor({ shape: [2, length], dtype: "float32", values: counts });
        dispose([padded, gradient]);
      }
    dispose(x);
  });

  it("leaks nothing", async () => {
    const x = fixture.tensor("pad/reflect/input0");
    for (const [name, compute] of Object.entries(CASES)) {
      if (fixture.host(`${name}/input0`).shape.length !== 3) continue;
      await expectNoLeak(() => dispose(grad((value) => sum(compute(value)), [x])));
    }
    dispose(x);
  });

  it("refuses what does not fit", () => {
    const x = zeros([3, 4]);
    expect(() => slice(x, [0], [1])).toThrow(/slice: expected begin and size with one number an axis/);
    expect(() => slice(x, [2, 0], [2, 1])).toThrow(/inside \[0, 3\) along axis 0, got 2 to 4/);
    expect(() => slice(x, [-1, 0], [1, 1])).toThrow(/inside \[0, 3\)/);
    expect(() => narrow(x, { axis: 2, start: 0, length: 1 })).toThrow(
      /narrow: expected an axis in \[-2, 2\)/,
    );
    expect(() => narrow(x, { axis: 1, start: 2, length: 3 })).toThrow(/inside \[0, 4\) of axis 1/);
    expect(() => stridedSlice(x, { strides: [0] })).toThrow(/stride other than 0/);
    expect(() => stridedSlice(x, { begin: [0, 0, 0] })).toThrow(/at most 2 entries/);
    expect(() => pad(x, [[1, 1]])).toThrow(/expected 2 pairs/);
    expect(() => pad(x, [[0, -1], [0, 0]])).toThrow(/non-negative integers/); // biome-ignore format: one row an axis
    expect(() =>
      pad(
        x,
        [
          [3, 0],
          [0, 0],
        ],
        { mode: "reflect" },
      ),
    ).toThrow(/at most 2 cells of reflect/);
    expect(() =>
      pad(
        x,
        [
          [4, 0],
          [0, 0],
        ],
        { mode: "circular" },
      ),
    ).toThrow(/at most 3 cells of circular/);
    expect(() =>
      pad(
        x,
        [
          [1, 0],
          [0, 0],
        ],
        { mode: "wrap" as never },
      ),
    ).toThrow(/expected mode constant/);
    expect(() =>
      pad(
        x,
        [
          [1, 0],
          [0, 0],
        ],
        { mode: "reflect", value: 1 },
      ),
    ).toThrow(/value only with mode constant/);
    dispose(x);
  });
});
