import { expect, it } from "vitest";
import {
  affineGrid,
  dispose,
  type GridSampleMode,
  type GridSamplePadding,
  gridSample,
  read,
  tensor,
  zeros,
} from "../index.js";
import { describeFixtureCases } from "../testing/describe-fixture-cases.js";
import { describeEachDevice, expectNoLeak, loadFixture } from "../testing/index.js";

const fixture = await loadFixture(new URL("../../fixtures/ops-grid-sample.safetensors", import.meta.url));

describeFixtureCases("sampling at points equals PyTorch's", fixture, {
  gridSample: ([x, grid], kind) => {
    const [mode, paddingMode, corners] = kind.split("-");
    return gridSample(x, grid, {
      mode: mode as GridSampleMode,
      paddingMode: paddingMode as GridSamplePadding,
      alignCorners: corners === "aligned",
    });
  },
  affineGrid: ([theta], kind) => {
    const [corners, volume] = kind.split("-");
    return affineGrid(theta, volume === undefined ? [3, 4] : [2, 1, 3], {
      alignCorners: corners === "aligned",
    });
  },
});

describeEachDevice("sampling at points", () => {
  it("gives the image back on its own grid, and zeros where a point is no number", async () => {
    const image = tensor([1, 2, 3, 4, 5, 6], [1, 2, 3, 1]);
    const theta = tensor([1, 0, 0, 0, 1, 0], [1, 2, 3]);
    const grid = affineGrid(theta, [2, 3]);
    const astray = tensor([Number.NaN, 0, 0, Number.POSITIVE_INFINITY, -1e30, 1e30], [1, 1, 3, 2]);
    const same = gridSample(image, grid);
    const none = gridSample(image, astray);
    await expect(same).toBeCloseToTensor({
      shape: [1, 2, 3, 1],
      dtype: "float32",
      values: await read(image),
    });
    expect([...(await read(none))]).toEqual([0, 0, 0]);
    await expectNoLeak(() => dispose([affineGrid(theta, 3), gridSample(image, grid, { mode: "bicubic" })]));
    dispose([image, theta, grid, astray, same, none]);
  });

  it("takes nothing from a cell that only stands in for one outside", async () => {
    const image = tensor([Number.NaN, 2, 3, 4], [1, 2, 2, 1]);
    const grid = tensor([1, 1, 5, 5], [1, 1, 2, 2]); // half a cell beyond the last one's centre, and far away
    const picked = gridSample(image, grid);
    expect([...(await read(picked))]).toEqual([1, 0]);
    dispose([image, grid, picked]);
  });

  it("refuses what does not fit", () => {
    const [image, grid] = [zeros([1, 2, 3, 4]), zeros([1, 2, 3, 2])];
    expect(() => gridSample(image, zeros([2, 2, 3, 2]))).toThrow(
      /gridSample: expected images .* got \[1, 2, 3, 4\] and \[2, 2, 3, 2\]/,
    );
    expect(() => gridSample(image, zeros([1, 2, 3, 3]))).toThrow(/got \[1, 2, 3, 4\] and \[1, 2, 3, 3\]/);
    expect(() => gridSample(image, grid, { mode: "linear" as never })).toThrow(
      /mode bilinear or nearest or bicubic, got linear/,
    );
    expect(() => gridSample(zeros([1, 2, 2, 2, 1]), zeros([1, 1, 1, 1, 3]), { mode: "bicubic" })).toThrow(
      /bilinear or nearest, got bicubic/,
    );
    expect(() => gridSample(image, grid, { paddingMode: "wrap" as never })).toThrow(
      /paddingMode zeros or border or reflection/,
    );
    expect(() => gridSample(zeros([1, 0, 3, 4]), grid)).toThrow(/an input with cells/);
    expect(() => affineGrid(zeros([2, 3]), [2, 2])).toThrow(
      /theta \[batch, 2, 3\] or \[batch, 3, 4\], got \[2, 3\]/,
    );
    expect(() => affineGrid(zeros([1, 2, 3]), [2, 2, 2])).toThrow(/outputSize/);
    dispose([image, grid]);
  });
});
