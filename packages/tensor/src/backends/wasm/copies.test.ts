import { beforeAll, describe, it } from "vitest";
import { useDevice } from "../../device.js";
import { expectSameAsCpu, randomInput, randomStream } from "../../testing/wasm-kernels.js";

beforeAll(async () => {
  await useDevice("cpu");
  await useDevice("wasm");
});

describe("copies along a walk", () => {
  const random = randomStream(12);
  it("repeats and reverses along any axes, and joins truth values that broadcast", () => {
    for (const dtype of ["float32", "int32", "bool"] as const)
      for (const [shape, reps, dims] of [
        [[5], [3], [0]],
        [
          [3, 1],
          [1, 4],
          [0, 1],
        ],
        [[2, 3, 4], [2, 1, 3], [2]],
        [[2, 3, 4], [1, 1, 1], []],
        [
          [2, 1, 3, 2],
          [3, 2, 1, 2],
          [1, 3, 0],
        ],
      ] as const) {
        const x = randomInput(random, [...shape], dtype);
        expectSameAsCpu("Tile", { x }, { reps: [...reps] });
        expectSameAsCpu("Reverse", { x }, { dims: [...dims] });
      }
    for (const [first, second] of [
      [
        [4, 1, 3],
        [5, 1],
      ],
      [[1], [2, 3]],
      [[2, 3], []],
    ] as const) {
      const [a, b] = [first, second].map((shape) => randomInput(random, [...shape], "bool"));
      for (const name of ["LogicalAnd", "LogicalOr"]) expectSameAsCpu(name, { a, b }, {});
    }
  });
});
