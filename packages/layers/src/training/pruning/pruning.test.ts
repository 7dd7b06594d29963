import {
  dispose,
  InputError,
  memory,
  mul,
  randomNormal,
  square,
  sum,
  tensor,
  valueAndGrad,
} from "@ai/tensor";
import { describeEachDevice, type HostTensor } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import {
  applyLora,
  BatchNorm2d,
  Conv2d,
  Embedding,
  EmbeddingBag,
  Flatten,
  Hardtanh,
  Linear,
  MaxPool2d,
  mergeLora,
  quantizeModel,
  ReLU,
  Sequential,
  Softmax,
  type StateEntry,
  Tanh,
} from "../../index.js";
import { loadLayerFixture } from "../../testing/layer-cases.js";
import {
  AdamW,
  DataLoader,
  loadCheckpoint,
  MSELoss,
  Muon,
  makePruningPermanent,
  memoryStorage,
  type Optimizer,
  pruneChannels,
  pruneWeights,
  RMSprop,
  removePrunedChannels,
  SGD,
  saveCheckpoint,
  sparsityReport,
  TensorDataset,
  Trainer,
} from "../index.js";

const fixture = await loadLayerFixture("compression");

function startModel(): Sequential {
  const model = new Sequential(
    new Conv2d(2, 5, 3),
    new ReLU(),
    new Flatten(),
    new Linear(20, 6),
    new Tanh(),
    new Linear(6, 3),
  );
  const names = fixture.names.filter((name) => name.startsWith("start/"));
  model.loadStateDict(new Map(names.map((name) => [name.slice(6), fixture.host(name) as StateEntry])));
  return model;
}

async function expectWeights(model: Sequential, name: string): Promise<void> {
  const state = await model.stateDict();
  for (const index of [0, 3, 5]) {
    const weight = tensorOf(state.get(`${index}.weight`)!);
    await expect(weight, `${name} ${index}`).toBeCloseToTensor(
      fixture.host(`${name}/${index}.weight`) as HostTensor,
    );
    weight.dispose();
  }
}

const tensorOf = ({ values, shape }: StateEntry) => tensor(values as Float32Array, shape);

/** A step of an optimizer on `Σ output²`. */
function train(model: Sequential, optimizer: Optimizer<never>, x = randomNormal([4, 4, 4, 2])): void {
  const { value, grads } = valueAndGrad(
    () => mul(sum(square(model.call(x))), 1 / 12),
    model.parameters().map((parameter) => parameter.value),
  );
  optimizer.step(grads);
  dispose([value, grads]);
}

describeEachDevice("pruning", () => {
  it("prunes what torch.nn.utils.prune does, once and twice, and trains on as PyTorch", async () => {
    const model = startModel();
    await pruneWeights(model, { amount: 0.35 });
    await expectWeights(model, "layer");
    await pruneWeights(model, { amount: 0.35 });
    await expectWeights(model, "twice");
    const optimizer = new SGD(model.parameters(), { learningRate: 0.1, momentum: 0.9, weightDecay: 0.1 });
    const x = fixture.tensor("x");
    for (let step = 0; step < 3; step++) train(model, optimizer as never, x);
    await expectWeights(model, "trained");
    const other = startModel();
    await pruneWeights(other, { amount: 0.6, scope: "global" });
    await expectWeights(other, "global");
    for (const norm of [1, 2] as const) {
      const channels = startModel();
      await pruneChannels(channels, { amount: 0.5, norm });
      await expectWeights(channels, `channels${norm}`);
      channels.dispose();
    }
    dispose(x);
    optimizer.dispose();
    model.dispose();
    other.dispose();
  });

  it("removes pruned channels: fewer numbers, the same results", async () => {
    const before = memory().numTensors;
    const model = new Sequential(
      new Conv2d(2, 8, 3, { padding: 1 }),
      new BatchNorm2d(8),
      new ReLU(),
      new MaxPool2d(2),
      new Conv2d(8, 6, 3, { padding: 1, stride: 2 }),
      new ReLU(),
      new Flatten(),
      new Linear(6 * 4, 10),
      new Tanh(),
      new Linear(10, 3),
    );
    const x = randomNormal([3, 8, 8, 2]);
    dispose(model.call(x)); // moves the running statistics
    await pruneChannels(model, { amount: 0.5, norm: 1, predicate: (path) => path !== "9" });
    model.eval();
    const small = await removePrunedChannels(model);
    const [expected, actual] = [model.call(x), small.call(x)];
    await expect(actual).toBeCloseToTensor({
      shape: [3, 3],
      dtype: "float32",
      values: (await expected.data()) as Float32Array,
    });
    expect(small.layers.map((layer) => layer.ownParameters().map(({ shape }) => shape.join()))).toEqual([
      ["3,3,2,4", "4"],
      ["4", "4"],
      [],
      [],
      ["3,3,4,3", "3"],
      [],
      [],
      ["5,12", "5"],
      [],
      ["3,5", "3"],
    ]);
    expect(small.summary([1, 8, 8, 2]).multiplyAdds).toBeLessThan(
      model.summary([1, 8, 8, 2]).multiplyAdds / 2,
    );
    dispose([x, expected, actual]);
    model.dispose();
    small.dispose();
    expect(memory().numTensors).toBe(before);
  });

  it("refuses what it cannot do, by name", async () => {
    const model = startModel();
    await expect(pruneWeights(model, { amount: 1 })).rejects.toThrow(/amount in \[0, 1\)/);
    await expect(pruneWeights(model, { amount: 0.5, share: 1 } as never)).rejects.toThrow(/one named share/);
    await expect(pruneWeights(model, { amount: 0.5, scope: "all" as never })).rejects.toThrow(InputError);
    await expect(pruneWeights(new Sequential(new ReLU()), { amount: 0.5 })).rejects.toThrow(/got none/);
    await expect(pruneChannels(model, { amount: 0.5, norm: 3 as never })).rejects.toThrow(/norm 1 or 2/);
    await expect(pruneChannels(new Sequential(new Embedding(3, 2)), { amount: 0.5 })).rejects.toThrow(
      /got none/,
    );
    expect(() => makePruningPermanent(model)).toThrow(/without masks/);
    await pruneWeights(model, { amount: 0.1 });
    expect(() => quantizeModel(model)).toThrow(/makePruningPermanent/);
    await expect(removePrunedChannels(new Sequential(new Linear(2, 2), new Softmax()))).rejects.toThrow(
      /got Softmax at 1/,
    );
    // a channel of zeros that becomes one of 0.5, and a sequence, whose channels come last after Flatten
    const raised = new Sequential(new Linear(4, 8), new Hardtanh({ min: 0.5, max: 2 }), new Linear(8, 3));
    await expect(removePrunedChannels(raised)).rejects.toThrow(/keep channels of zeros, got Hardtanh at 1/);
    const sequence = new Sequential(new Linear(4, 8), new Flatten(), new Linear(24, 3));
    await pruneChannels(sequence, { amount: 0.5, predicate: (path) => path === "0" });
    await expect(removePrunedChannels(sequence)).rejects.toThrow(/Flatten of images, got one at 1/);
    for (const each of [raised, sequence]) each.dispose();
    // of itself neither tables nor adapters, and what a mask leaves out is not merged over
    await expect(pruneWeights(new EmbeddingBag(5, 4), { amount: 0.5 })).rejects.toThrow(/got none/);
    const adapted = new Sequential(new Linear(4, 4));
    applyLora(adapted, { targetModules: ["0"], rank: 1 });
    await pruneWeights(adapted, { amount: 0.5 });
    const masked = (await sparsityReport(adapted)).rows.filter((row) => row.masked);
    expect(masked.map(({ path }) => path)).toEqual(["0.weight"]);
    await expect(mergeLora(adapted)).rejects.toThrow(/without masks, got a pruned one at 0/);
    adapted.dispose();
    const quantized = new Sequential(new Conv2d(8, 8, 3));
    quantizeModel(quantized);
    await expect(removePrunedChannels(quantized)).rejects.toThrow(/got a quantized or parametrized one at 0/);
    quantized.dispose();
    model.dispose();
  });
});

// three optimizers: nothing in them is of one device
describeEachDevice("pruned models under any optimizer", () => {
  it("keeps zeros under any optimizer until it is permanent, and frees its masks", async () => {
    const plain = startModel();
    const names = [...(await plain.stateDict()).keys()];
    plain.dispose();
    const before = memory().numTensors;
    for (const make of [
      (model: Sequential) => new AdamW(model.parameters(), { learningRate: 0.1, weightDecay: 0.5 }),
      (model: Sequential) => new RMSprop(model.parameters(), { learningRate: 0.1, momentum: 0.9 }),
      (model: Sequential) =>
        new Muon(
          model.parameters().filter(({ shape }) => shape.length === 2),
          {},
        ),
    ]) {
      const model = startModel();
      const first = make(model);
      const x = randomNormal([4, 4, 4, 2]);
      const parameters = first.parameters;
      const step = (): void => {
        const { value, grads } = valueAndGrad(
          () => sum(square(model.call(x))),
          parameters.map((parameter) => parameter.value),
        );
        first.step(grads);
        dispose([value, grads]);
      };
      step(); // momenta of numbers that are pruned later
      await pruneWeights(model, { amount: 0.5 });
      const zeros = (await sparsityReport(model)).zeros;
      expect(zeros).toBe(Math.round(90 / 2) + 60 + 9);
      for (let count = 0; count < 3; count++) step();
      const report = await sparsityReport(model);
      expect(report.zeros).toBe(zeros);
      expect(String(report)).toMatch(/3\.weight +120 +60 +50\.0 % +yes/);
      makePruningPermanent(model);
      expect([...(await model.stateDict()).keys()]).toEqual(names);
      step();
      expect((await sparsityReport(model)).zeros).toBeLessThan(zeros);
      dispose(x);
      first.dispose();
      model.dispose();
    }
    expect(memory().numTensors).toBe(before);
  });
}, ["cpu", "wasm"]);

describeEachDevice("pruned models in training", () => {
  it("resumes from a trainer's checkpoint with its masks", async () => {
    const data = (): DataLoader<unknown, never> =>
      new DataLoader(
        new TensorDataset([
          {
            values: Float32Array.from({ length: 8 * 32 }, (_, i) => Math.sin(i)),
            shape: [8, 4, 4, 2],
            dtype: "float32",
          },
          { values: new Float32Array(24).fill(1), shape: [8, 3], dtype: "float32" },
        ]),
        { batchSize: 4 },
      ) as never;
    const trainerOf = (model: Sequential) =>
      new Trainer({
        model,
        loss: new MSELoss(),
        optimizer: new AdamW(model.parameters(), { learningRate: 0.05, weightDecay: 0.1 }),
      });
    const storage = memoryStorage();
    const model = startModel();
    await pruneWeights(model, { amount: 0.5 });
    const trainer = trainerOf(model);
    await trainer.fit(data(), { epochs: 1 });
    const { path } = await saveCheckpoint("runs/pruned", await trainer.state(), { storage });
    await trainer.fit(data(), { epochs: 2 });

    const again = startModel();
    await pruneWeights(again, { amount: 0 });
    const resumed = trainerOf(again);
    resumed.loadState(await loadCheckpoint(path, { storage }));
    await resumed.fit(data(), { epochs: 2 });
    expect(await again.stateDict()).toEqual(await model.stateDict());
    expect((await sparsityReport(again)).zeros).toBe(45 + 60 + 9);
    model.dispose();
    again.dispose();
  });
});
