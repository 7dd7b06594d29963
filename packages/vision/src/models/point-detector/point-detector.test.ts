import { dispose, InputError, read, type Tensor } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import type { LabeledBox } from "../../augment/sample.js";
import { assignPoints } from "../../losses/assign-points.js";
import { pointDetectorLoss, stackPointTargets } from "../../losses/point-detector-loss.js";
import { decodePoints } from "../../postprocess/decode-points.js";
import { pointGrid } from "../../postprocess/point-grid.js";
import { expectModelLikeTorch, loadVisionFixture } from "../../testing/model-cases.js";
import { ruledImages, ruledTensor } from "../../testing/ruled-values.js";
import { PointDetector } from "./point-detector.js";

const fixture = await loadVisionFixture("point_detector");

/** As in tooling/fixtures/vision/point_detector.py. */
const CONFIG = {
  backbone: { block: "basic", embeddingSize: 4, hiddenSizes: [4, 6, 8], depths: [1, 1, 1] },
  headChannels: 6,
  headDepth: 1,
  headGroups: 2,
  numClasses: 3,
} as const;
const OBJECTS: readonly (readonly LabeledBox[])[] = [
  [
    { box: [3, 5, 40, 30], label: 0 },
    { box: [10, 8, 26, 22], label: 2 },
  ],
  [{ box: [1, 1, 75, 60], label: 1 }],
];
const SIZE = [64, 80] as const;

describeEachDevice("PointDetector", (device) => {
  it("computes what PyTorch computes", () =>
    expectModelLikeTorch(fixture, {
      name: "point_detector",
      build: () => new PointDetector(CONFIG),
      inputs: () => [ruledImages("images", [2, ...SIZE, 3])],
      call: (model, [images]) => ({ ...model.call(images) }),
      // plain JavaScript and a software GPU take long for the backward pass
      gradients: device === "wasm" ? "train" : undefined,
    }));

  it("has torchvision's losses", async () => {
    const grid = pointGrid(SIZE, [8, 16]);
    const targets = OBJECTS.map((boxes) => assignPoints(boxes, grid, { numClasses: 3, reach: 3 }));
    const wanted = stackPointTargets(targets);
    for (const name of ["classes", "distances", "centerness"] as const)
      await expect(wanted[name]).toBeCloseToTensor(fixture.host(`targets/${name}`));
    const output = {
      classes: ruledTensor("classes", [2, grid.count, 3], -3, 3),
      distances: ruledTensor("distances", [2, grid.count, 4], 1, 40),
      centerness: ruledTensor("centerness", [2, grid.count, 1], -2, 2),
    };
    const loss = pointDetectorLoss(output, wanted);
    const found = Object.fromEntries(
      await Promise.all(
        Object.entries(loss).map(async ([name, value]) => [name, (await read(value as Tensor))[0]]),
      ),
    );
    for (const name of ["total", "classes", "boxes", "centerness"])
      expect(found[name]).toBeCloseTo(fixture.host(`loss/${name}`).values[0], 4);
    dispose([...Object.values(loss), ...Object.values(output), ...Object.values(wanted)]);
  });
});

it("gives a point its smallest object, and leaves crowds out", () => {
  const grid = pointGrid([32, 32], [8, 16]);
  expect(grid.count).toBe(20);
  const crowd: LabeledBox = { box: [0, 0, 16, 16], label: 0, isCrowd: true };
  const small: LabeledBox = { box: [17, 17, 31, 31], label: 1 };
  const targets = assignPoints([crowd, small], grid, { numClasses: 2 });
  expect(Array.from(targets.classes.subarray(0, 2))).toEqual([-1, -1]);
  expect(targets.numPositives).toBe(4);
  expect(Array.from(targets.classes.subarray(20, 22))).toEqual([0, 1]);
  expect(Array.from(targets.distances.subarray(40, 44))).toEqual([3, 3, 11, 11]);
  expect(() => assignPoints([{ box: [0, 0, 9, 9], label: 2 }], grid, { numClasses: 2 })).toThrow(InputError);
});

it("finds again what it was told to say", () => {
  const grid = pointGrid(SIZE, [8, 16]);
  const { classes, distances, centerness } = assignPoints(OBJECTS[1], grid, { numClasses: 3, reach: 3 });
  const sure = (value: number): number => (value > 0.5 ? 9 : -9);
  const found = decodePoints(
    { classes: classes.map(sure), distances, centerness: centerness.map(sure) },
    grid,
  );
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({ box: [1, 1, 75, 60], label: 1 });
  expect(() => decodePoints({ classes, distances, centerness }, pointGrid([8, 8], [8]))).toThrow(InputError);
});
