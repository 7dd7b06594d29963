import { expect, it } from "vitest";
import { grad } from "../autograd.js";
import { InputError } from "../errors.js";
import { gelu } from "../kernels/gelu/gelu.js";
import { dispose, tidy } from "../memory.js";
import { fromValues, read, zeros } from "../tensor.js";
import { randomHostTensor } from "../testing/describe-kernel.js";
import { describeEachDevice, expectNoLeak } from "../testing/index.js";
import { hardSwish, leakyRelu, relu, relu6, silu } from "./activations.js";
import type { FusedActivation } from "./fused-activations.js";
import { linear } from "./matmul.js";
import { sum } from "./reduce.js";
import { sigmoid, tanh } from "./unary.js";

const ACTIVATIONS = {
  relu,
  relu6,
  gelu,
  "gelu-tanh": (x: Parameters<typeof gelu>[0]) => gelu(x, { approximate: "tanh" }),
  silu,
  "hard-swish": hardSwish,
  "leaky-relu": (x: Parameters<typeof gelu>[0]) => leakyRelu(x),
  sigmoid,
  tanh,
} as const;

const make = (shape: number[], stream: string) => {
  const { values } = randomHostTensor(shape, { stream, scale: 2 });
  return fromValues(values as Float32Array, shape, "float32");
};

describeEachDevice("linear with an activation", () => {
  it.each([
    [1, 9, 5],
    [1, 300, 530],
    [6, 9, 5],
    [37, 21, 43],
  ])("equals the two ops one after the other: %i rows of %i to %i", async (rows, inFeatures, outFeatures) => {
    const [x, weight, bias] = [
      make([rows, inFeatures], "x"),
      make([outFeatures, inFeatures], "w"),
      make([outFeatures], "b"),
    ];
    for (const [name, activate] of Object.entries(ACTIVATIONS)) {
      const fused = linear(x, weight, bias, { activation: name as FusedActivation });
      const separate = tidy(() => activate(linear(x, weight, bias)));
      await expect(fused).toBeCloseToTensor(separate, { relative: 1e-5 });
      dispose([fused, separate]);
    }
    dispose([x, weight, bias]);
  });

  it("gives the gradient, takes leading axes and no rows, and leaks nothing", async () => {
    await expectNoLeak(async () => {
      const [x, weight] = [make([2, 3, 4], "x"), make([5, 4], "w")];
      const loss = (w: typeof weight) => sum(linear(x, w, undefined, { activation: "silu" }));
      const separate = (w: typeof weight) => sum(silu(linear(x, w)));
      const [actual, expected] = [grad(loss, [weight])[0], grad(separate, [weight])[0]];
      await expect(actual).toBeCloseToTensor(expected);
      const none = zeros([0, 4]);
      const empty = linear(none, weight, undefined, { activation: "sigmoid" });
      expect(empty.shape).toEqual([0, 5]);
      expect((await read(empty)).length).toBe(0);
      dispose([x, weight, actual, expected, none, empty]);
    });
  });

  it("refuses what it does not know", () => {
    const [x, weight] = [make([2, 4], "x"), make([5, 4], "w")];
    expect(() => linear(x, weight, undefined, { activation: "softmax" as FusedActivation })).toThrow(
      InputError,
    );
    expect(() => linear(x, weight, undefined, { activations: "relu" } as object)).toThrow(
      /named activations/,
    );
    dispose([x, weight]);
  });
});
