import { add, memory, mul, type Tensor } from "@ai/tensor";
import { describeEachDevice, type HostTensor } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { BatchNorm1d, Dropout, Linear, Sequential } from "../index.js";
import { loadLayerFixture } from "../testing/layer-cases.js";
import {
  ExponentialMovingAverage,
  StochasticWeightAverage,
  updateBatchNorm,
  type WeightAverage,
} from "./index.js";

const fixture = await loadLayerFixture("averages");
const batches = (): Tensor[][] => [0, 1, 2].map((index) => [fixture.tensor(`batch${index}`)]);

function build() {
  const [linear, norm] = [new Linear(3, 4), new BatchNorm1d(4, { momentum: 0.1 })];
  const model = new Sequential(linear, norm, new Dropout(0.5));
  model.parameters();
  linear.weight.setValue(fixture.tensor("weight"));
  linear.bias!.setValue(fixture.tensor("bias"));
  return { linear, norm, model };
}

async function expectStatistics(norm: BatchNorm1d, name: string): Promise<void> {
  await expect(norm.runningMean!.value).toBeCloseToTensor(fixture.host(`${name}/mean`) as HostTensor);
  await expect(norm.runningVariance!.value).toBeCloseToTensor(fixture.host(`${name}/variance`) as HostTensor);
}

describeEachDevice("updateBatchNorm", () => {
  it("gathers what torch's update_bn gathers, and leaves modes and momentum", async () => {
    const { norm, model } = build();
    model.eval();
    norm.train();
    const [[first], ...rest] = batches();
    model.call(first).dispose(); // what it had gathered is forgotten
    const before = memory().numTensors;
    const seen: number[] = [];
    const source = [[first], ...rest];
    await updateBatchNorm(model, source, { onProgress: ({ done }) => void seen.push(done) });
    await expectStatistics(norm, "update");
    expect(norm.numBatchesTracked!.value).toBe(3);
    expect([norm.momentum, norm.training, model.training]).toEqual([0.1, true, false]);
    expect(seen).toEqual([1, 2, 3]);
    expect(memory().numTensors).toBe(before - 3); // the batches are freed
    model.dispose();
  });

  it.each<[string, (parts: ReturnType<typeof build>) => WeightAverage]>([
    ["swa", ({ model }) => new StochasticWeightAverage(model.parameters(), { buffers: model.buffers() })],
    [
      "ema",
      ({ model }) =>
        new ExponentialMovingAverage(model.parameters(), { decay: 0.9, buffers: model.buffers() }),
    ],
  ])("%s with buffers averages statistics as torch's use_buffers", async (name, make) => {
    const all = memory().numTensors;
    const parts = build();
    const { linear, norm, model } = parts;
    const average = make(parts);
    expect(average.buffers).toEqual([norm.runningMean, norm.runningVariance]);
    for (const [batch] of batches()) {
      model.call(batch).dispose();
      batch.dispose();
      linear.weight.setValue(add(linear.weight.value, 0.5));
      average.update();
    }
    const own = norm.runningMean!.value;
    await average.during(() => expectStatistics(norm, name));
    expect(await norm.runningMean!.value.data()).not.toEqual(fixture.host(`${name}/mean`).values);
    expect(norm.runningMean!.value.shape).toEqual(own.shape);
    const state = await average.state();
    const again = make(parts);
    again.loadState(state);
    again.copyToParameters();
    await expect(linear.weight.value).toBeCloseToTensor(fixture.host(`${name}/weight`) as HostTensor);
    await expectStatistics(norm, name);
    const without = new StochasticWeightAverage(model.parameters());
    if (name === "swa") expect(() => without.loadState(state)).toThrow(/expected 4 averages, got 6/);
    for (const part of [average, again, model]) part.dispose();
    expect(memory().numTensors).toBe(all);
  });

  it("puts everything back when it is aborted, fails or has no data", async () => {
    const { norm, model } = build();
    const [[x]] = batches();
    model.call(x).dispose();
    x.dispose();
    const values = async () => [...(await norm.runningMean!.value.data())];
    const before = { values: await values(), tensors: memory().numTensors };
    const controller = new AbortController();
    const never: AsyncIterable<Tensor> = {
      [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }),
    };
    const waiting = updateBatchNorm(model, never, { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    const wrong = batches().map(([batch]) => batch);
    const compute = (batch: Tensor): Tensor => {
      if (batch === wrong[1]) throw new Error("broken");
      return model.call(mul(batch, 1));
    };
    await expect(updateBatchNorm(model, wrong, { compute })).rejects.toThrow("broken");
    wrong[2].dispose();
    await expect(updateBatchNorm(model, [])).rejects.toThrow(/at least one batch, got none/);
    await expect(updateBatchNorm(model, [["x"]] as never)).rejects.toThrow(/pass compute/);
    await expect(updateBatchNorm(model, 3 as never)).rejects.toThrow(/expected batches, got number/);
    await expect(updateBatchNorm({} as never, [])).rejects.toThrow(/expected a module/);
    await expect(updateBatchNorm(model, [], { rate: 1 } as never)).rejects.toThrow(/named rate/);
    expect(await values()).toEqual(before.values);
    expect([norm.numBatchesTracked!.value, norm.momentum, memory().numTensors]).toEqual([
      1,
      0.1,
      before.tensors,
    ]);
    await updateBatchNorm(new Linear(2, 2), never); // nothing to gather: it is not read
    model.dispose();
  });
});
