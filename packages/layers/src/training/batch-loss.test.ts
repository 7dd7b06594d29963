import { memory, sum, type Tensor, useDevice } from "@ai/tensor";
import { beforeAll, expect, it } from "vitest";
import { Module } from "../module.js";
import { makeRun, type Pair } from "../testing/tiny-run.js";
import { type BatchSource, CrossEntropyLoss, DataLoader, evaluate } from "./index.js";

class Several extends Module<[x: Tensor], { readonly logits: Tensor; readonly cache: readonly Tensor[] }> {
  protected override forward(x: Tensor) {
    return { logits: x, cache: [] };
  }
}

beforeAll(async () => {
  await useDevice("cpu");
});

it("a loss of two tensors refuses other batches and outputs, and says what to pass instead", async () => {
  const { model, loader, dispose } = makeRun();
  const before = memory().numTensors;
  const loss = new CrossEntropyLoss();
  const numbers = new DataLoader({ length: 4, get: (index: number) => index }, { batchSize: 2 });
  await expect(evaluate(model, numbers as unknown as BatchSource<Pair>, { loss })).rejects.toThrow(
    /^evaluate: expected batches \[input, target\] of two tensors, got a tensor \[2\]; pass computeLoss/,
  );
  await expect(evaluate(new Several(), loader, { loss })).rejects.toThrow(
    /^evaluate: expected a model that gives one tensor, got { logits, cache }; pass computeLoss/,
  );
  const computeLoss = ([x]: Pair) => ({ loss: sum(x), output: { x } as never, target: x });
  await expect(evaluate(model, loader, { computeLoss })).rejects.toThrow(
    /a tensor as output for the metrics, got object/,
  );
  expect(memory().numTensors).toBe(before);
  dispose();
});
