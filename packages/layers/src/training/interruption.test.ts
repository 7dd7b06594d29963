import { manualSeed, memory, mul, sqrt, sum, useDevice } from "@ai/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { makeRun, type Pair, Perceptron, quadrants, weights } from "../testing/tiny-run.js";
import {
  AdamW,
  CrossEntropyLoss,
  checkpoints,
  DataLoader,
  LBFGS,
  listCheckpoints,
  memoryStorage,
  OneCycleLR,
  SGD,
  Trainer,
  type TrainingCallback,
  type TrainingStorage,
} from "./index.js";

beforeAll(() => useDevice("cpu"));

type Fit = Parameters<ReturnType<typeof makeRun>["trainer"]["fit"]>[1];

/** Everything that the end of a run shows, after an optional first attempt that a callback aborts. */
async function endOf(interrupted?: (stop: () => void) => Partial<TrainingCallback>): Promise<unknown> {
  const run = makeRun();
  const options: Fit = { epochs: 2, validation: run.validation };
  if (interrupted !== undefined) {
    const controller = new AbortController();
    const callback = { name: "abort", ...interrupted(() => controller.abort(new Error("enough"))) };
    const attempt = run.trainer.fit(run.loader, {
      ...options,
      signal: controller.signal,
      callbacks: [callback],
    });
    await expect(attempt).rejects.toThrow("enough");
  }
  const { history } = await run.trainer.fit(run.loader, options);
  const values = history.epochs.map((epoch) => epoch.values);
  const end = {
    values,
    weights: await weights(run.model),
    data: [run.loader.state(), run.validation.state()],
  };
  run.dispose();
  return end;
}

describe("a run that was interrupted", () => {
  it("before its first step, or in an evaluation, ends as if it had not been", async () => {
    const whole = await endOf();
    expect(await endOf((stop) => ({ onEpochStart: stop }))).toEqual(whole);
    expect(await endOf((stop) => ({ onEvaluationStep: stop }))).toEqual(whole);
  });

  it("goes on from the last whole checkpoint, and removes a damaged one after it", async () => {
    const storage = memoryStorage();
    const go = async (epochs: number): Promise<number> => {
      const run = makeRun();
      const save = checkpoints({ folder: "run", storage, keepLast: 2 });
      const options = { epochs, resumeFrom: "run", storage, callbacks: [save] };
      const { history } = await run.trainer.fit(run.loader, options);
      run.dispose();
      return history.epochs.length;
    };
    await go(3);
    const [, newest] = await listCheckpoints("run", { storage });
    await storage.write(`${newest.path}/model.safetensors`, Uint8Array.of(1, 2, 3));
    expect(await go(4)).toBe(4);
    expect((await listCheckpoints("run", { storage })).map(({ epoch }) => epoch)).toEqual([3, 4]);
  });
});

/** One epoch of five steps under a one-cycle schedule that allows no more. */
async function cycle(storage: TrainingStorage, totalSteps: number): Promise<number> {
  manualSeed(1);
  const model = new Perceptron();
  const optimizer = new AdamW(model.parameters());
  const schedule = new OneCycleLR(optimizer, { maxLearningRate: 0.1, totalSteps });
  const trainer = new Trainer<Pair, Perceptron>({ model, optimizer, loss: new CrossEntropyLoss(), schedule });
  const { history } = await trainer.fit(new DataLoader(quadrants(40), { batchSize: 8 }), {
    epochs: 1,
    maxSteps: totalSteps,
    estimate: true,
    resumeFrom: "run",
    storage,
    callbacks: [checkpoints({ folder: "run", storage })],
  });
  optimizer.dispose();
  model.dispose();
  return history.losses.length;
}

describe("an estimate", () => {
  it("times no more steps than are left, none for a run that is done", async () => {
    expect(await cycle(memoryStorage(), 2)).toBe(2);
    const storage = memoryStorage();
    expect(await cycle(storage, 5)).toBe(5);
    expect(await cycle(storage, 5)).toBe(5);
  });
});

describe("a gradient that is NaN beside a finite loss", () => {
  it.each([{}, { maxGradientNorm: 1 }])("ends the run with options %o", async (options) => {
    const before = memory().numTensors;
    const run = makeRun({
      loss: undefined,
      computeLoss: ([x], model) => sum(sqrt(mul(model.call(x), 0))),
      ...options,
    });
    await expect(run.trainer.fit(run.loader, { epochs: 1 })).rejects.toThrow(
      /expected (a finite loss|finite gradients|finite weights), got .* step \d/,
    );
    const last = new Trainer<Pair, Perceptron>({
      model: makeRun().model,
      optimizer: run.optimizer,
      computeLoss: ([x]) => sum(sqrt(mul(run.model.call(x), 0))),
    });
    await expect(last.fit(run.loader, { epochs: 1, maxSteps: 1 })).rejects.toThrow(/NaN/);
    run.dispose();
    last.model.dispose();
    expect(memory().numTensors).toBeLessThanOrEqual(before);
  });
});

describe("training refuses", () => {
  it("data, callbacks, losses and parameters of another kind", async () => {
    const { trainer, model, optimizer, loader, dispose } = makeRun();
    const data = quadrants(4) as never;
    await expect(trainer.fit(data, { epochs: 1 })).rejects.toThrow(/a DataLoader for training, got object/);
    await expect(trainer.fit([] as never, { epochs: 1 })).rejects.toThrow(/got an array/);
    await expect(trainer.fit(loader, { epochs: 1, validation: data })).rejects.toThrow(/for validation/);
    await expect(trainer.fit(loader, undefined as never)).rejects.toThrow(/an integer epochs/);
    await expect(trainer.evaluate(data)).rejects.toThrow(/a DataLoader for evaluation/);
    await expect(trainer.fit(loader, { epochs: 1, callbacks: [undefined] as never })).rejects.toThrow(
      /callbacks with names/,
    );
    expect(() => new Trainer({ loss: new CrossEntropyLoss() } as never)).toThrow(/a model and an optimizer/);
    expect(() => new Trainer({ model, optimizer, loss: "mse" as never })).toThrow(/a function or has call/);
    const asking = { optimizer: new LBFGS(model.parameters()) as never, loss: new CrossEntropyLoss() };
    expect(() => new Trainer({ model, ...asking })).toThrow(/LBFGS is stepped in a loop of your own/);
    for (const wrong of [model, [model], [model.parameters()[0], { parameters: [] }]])
      expect(() => new AdamW(wrong as never)).toThrow(/AdamW: expected an array of parameters/);
    const misplaced = [{ parameters: model.parameters(), learningRate: 1 }] as never;
    expect(() => new AdamW(misplaced)).toThrow(/got learningRate beside them/);
    const sgd = new SGD(model.parameters(), { learningRate: 1, momentum: 0.9 });
    expect(() => sgd.step([undefined, null, null, null] as never)).toThrow(/an array of gradients/);
    const options = { maxLearningRate: 1, totalSteps: 9 };
    expect(() => new OneCycleLR(sgd, { ...options, maxMomentum: Number.NaN })).toThrow(/a maxMomentum in/);
    const short = new OneCycleLR(sgd, { ...options, totalSteps: 10, increasingShare: 0.1 });
    expect(short.learningRates).toEqual([1]); // the rise is one step long
    dispose();
  });
});
