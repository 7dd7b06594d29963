import { memory } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { applyLora, Linear, quantizeModel, ReLU, removeLora, Sequential } from "../index.js";
import {
  AdamW,
  DataLoader,
  loadCheckpoint,
  MSELoss,
  memoryStorage,
  saveCheckpoint,
  TensorDataset,
  Trainer,
} from "../training/index.js";

describeEachDevice("adapters in training", () => {
  it("train on quantized weights, and resume from a checkpoint bit for bit", async () => {
    const before = memory().numTensors;
    const data = (): DataLoader<unknown, never> =>
      new DataLoader(
        new TensorDataset([
          {
            values: Float32Array.from({ length: 48 }, (_, i) => Math.sin(i)),
            shape: [8, 6],
            dtype: "float32",
          },
          {
            values: Float32Array.from({ length: 16 }, (_, i) => Math.cos(i)),
            shape: [8, 2],
            dtype: "float32",
          },
        ]),
        { batchSize: 4, shuffle: true, seed: 1 },
      ) as never;
    const build = (seed: number): Sequential => {
      const model = new Sequential(new Linear(6, 8), new ReLU(), new Linear(8, 2)).initialize({ seed });
      quantizeModel(model, { bits: 4, predicate: (_, path) => path === "0" });
      applyLora(model, { targetModules: "all-linear", rank: 2, useDora: true, dropout: 0.1 });
      return model;
    };
    const trainerOf = (model: Sequential) =>
      new Trainer({
        model,
        loss: new MSELoss(),
        optimizer: new AdamW(model.parameters(), { learningRate: 0.05, weightDecay: 0.1 }),
      });
    const storage = memoryStorage();
    const [model, again] = [build(1), build(2)];
    const start = await model.stateDict();
    const trainer = trainerOf(model);
    const loader = data();
    await trainer.fit(loader, { epochs: 1 });
    const { path } = await saveCheckpoint("runs/lora", await trainer.state(), { storage });
    await trainer.fit(loader, { epochs: 3 });
    const end = await model.stateDict();
    const changed = [...start.keys()].filter(
      (name) => String(start.get(name)!.values) !== String(end.get(name)!.values),
    );
    expect(changed).toEqual([...start.keys()].filter((name) => name.includes(".lora.")));

    const resumed = trainerOf(again);
    resumed.loadState(await loadCheckpoint(path, { storage }));
    await resumed.fit(data(), { epochs: 3 });
    expect(await again.stateDict()).toEqual(end);
    for (const each of [model, again]) removeLora(each);
    for (const each of [model, again]) each.dispose();
    expect(memory().numTensors).toBe(before + 2 * 2 * 6); // the optimizers' moments of six parameters each
  });
});
