import { memory, stopGradient, type Tensor, tensor, tidy, valueAndGrad, zeros } from "@ai/tensor";
import { describeEachDevice, expectNoLeak, loadFixture } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import {
  BCELoss,
  BCEWithLogitsLoss,
  type BinaryCrossEntropyWithLogitsOptions,
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
  CrossEntropyLoss,
  type CrossEntropyOptions,
  crossEntropyLoss,
  MSELoss,
  mseLoss,
  type Reduction,
} from "./index.js";

const fixture = await loadFixture(new URL("../../../fixtures/training.safetensors", import.meta.url));
const list = (name: string): number[] => [...fixture.host(name).values];
const weight = list("loss/weights");
const elementWeight = list("loss/element_weights");

interface Case {
  readonly name: string;
  readonly call: (input: Tensor, target: Tensor) => Tensor;
}

const entropy = (name: string, options: CrossEntropyOptions = {}): Case => ({
  name: `cross_entropy${name}`,
  call: (input, target) => crossEntropyLoss(input, target, options),
});
const withLogits = (name: string, options: BinaryCrossEntropyWithLogitsOptions = {}): Case => ({
  name,
  call: (input, target) => binaryCrossEntropyWithLogits(input, target, options),
});
const squared = (name: string, reduction: Reduction): Case => ({
  name,
  call: (input, target) => mseLoss(input, target, { reduction }),
});

const CASES: readonly Case[] = [
  { name: "cross_entropy", call: (input, target) => new CrossEntropyLoss().call(input, target) },
  entropy("_large"),
  entropy("_sum", { reduction: "sum" }),
  entropy("_none", { reduction: "none" }),
  entropy("_weight", { weight }),
  entropy("_ignore", { weight }),
  entropy("_ignore_other", { ignoreIndex: 2 }),
  entropy("_all_ignored"),
  entropy("_smooth", { labelSmoothing: 0.1 }),
  entropy("_smooth_weight", { labelSmoothing: 0.3, weight }),
  entropy("_smooth_none", { labelSmoothing: 0.3, weight, reduction: "none" }),
  entropy("_sequence"),
  entropy("_probabilities"),
  entropy("_probabilities_smooth", { weight, labelSmoothing: 0.2, reduction: "none" }),
  { name: "bce", call: (input, target) => new BCELoss().call(input, target) },
  { name: "bce_edges", call: (input, target) => binaryCrossEntropy(input, target) },
  {
    name: "bce_weight_none",
    call: (input, target) => binaryCrossEntropy(input, target, { weight: elementWeight, reduction: "none" }),
  },
  { name: "bce_logits", call: (input, target) => new BCEWithLogitsLoss().call(input, target) },
  withLogits("bce_logits_weights", { weight: elementWeight, posWeight: weight.slice(0, 3) }),
  withLogits("bce_logits_sum", { reduction: "sum" }),
  { name: "mse", call: (input, target) => new MSELoss().call(input, target) },
  squared("mse_sum", "sum"),
  squared("mse_none", "none"),
];

describeEachDevice("losses equal PyTorch's", () => {
  it.each(CASES)("$name", async ({ name, call }) => {
    const part = (key: string): string => `loss/${name}/${key}`;
    await expectNoLeak(async () => {
      const [input, target, seed] = ["input", "target", "seed"].map((key) => fixture.tensor(part(key)));
      const { value, grads } = valueAndGrad((x) => call(x, target), [input], { seed });
      // log(1 − p) of a p that is rounded to float32
      const relative = name.startsWith("bce") ? 1e-4 : 1e-5;
      await expect(value).toBeCloseToTensor(fixture.host(part("output")), { relative });
      await expect(grads[0]).toBeCloseToTensor(fixture.host(part("gradient")), { relative });
      for (const each of [input, target, seed, value, ...grads]) each?.dispose();
    });
  });

  it("takes weights as a tensor, and leaves it alone", async () => {
    const weights = tensor(weight);
    const input = fixture.tensor("loss/cross_entropy_weight/input");
    const target = fixture.tensor("loss/cross_entropy_weight/target");
    const value = crossEntropyLoss(input, target, { weight: weights });
    await expect(value).toBeCloseToTensor(fixture.host("loss/cross_entropy_weight/output"));
    await expect(weights).toBeCloseToTensor(fixture.host("loss/weights"));
    for (const each of [weights, input, target, value]) each.dispose();
  });
});

describe("losses refuse", () => {
  const refuse = (call: () => Tensor, message: RegExp): void => {
    const before = memory().numTensors;
    expect(() => tidy(call)).toThrow(message);
    expect(memory().numTensors).toBe(before);
  };
  const classes = (): Tensor => zeros([2], "int32");

  it("shapes and dtypes that do not fit", () => {
    refuse(
      () => crossEntropyLoss(zeros([2, 3]), zeros([3], "int32")),
      /class indices of shape \[2\], got \[3\]/,
    );
    refuse(
      () => crossEntropyLoss(zeros([2, 3]), zeros([2])),
      /probabilities of shape \[2, 3\], got \[2\]; class indices must be int32: pass createCollate\(\{ numberDtype: "int32" \}\)/,
    );
    refuse(() => crossEntropyLoss(zeros([2, 3], "int32"), classes()), /float32 logits, got int32/);
    refuse(() => crossEntropyLoss(zeros([]), zeros([], "int32")), /\[\.\.\., classes\], got \[\]/);
    refuse(
      () => crossEntropyLoss(zeros([2, 3]), zeros([2], "bool")),
      /int32 class indices or float32 probabilities, got bool/,
    );
    refuse(() => mseLoss(zeros([2, 3]), zeros([3])), /of one shape, got \[2, 3\] and \[3\]/);
    refuse(() => binaryCrossEntropy(zeros([2]), classes()), /float32 target, got int32/);
    refuse(() => binaryCrossEntropyWithLogits(zeros([2]), zeros([2, 1])), /of one shape/);
  });

  it("options out of range", () => {
    refuse(
      () => crossEntropyLoss(zeros([2, 3]), classes(), { labelSmoothing: 1.5 }),
      /labelSmoothing in \[0, 1\], got 1.5/,
    );
    refuse(
      () => crossEntropyLoss(zeros([2, 3]), classes(), { weight: [1, 2] }),
      /weights of shape \[3\], got \[2\]/,
    );
    refuse(
      () => crossEntropyLoss(zeros([2, 3]), zeros([2, 3]), { ignoreIndex: 0 }),
      /no ignoreIndex with float32 targets/,
    );
    refuse(
      () => mseLoss(zeros([1]), zeros([1]), { reduction: "average" as Reduction }),
      /mean, sum or none, got average/,
    );
    expect(() => new CrossEntropyLoss({ reduction: "all" as Reduction })).toThrow(
      /mean, sum or none, got all/,
    );
  });

  it("nothing of an input that is not differentiated", () => {
    const input = zeros([2, 3]);
    const target = classes();
    const value = crossEntropyLoss(stopGradient(input), target);
    expect(value.shape).toEqual([]);
    for (const each of [input, target, value]) each.dispose();
  });
});
