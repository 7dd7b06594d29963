import { div, manualSeed, memory, read, relu, sub, sum, type Tensor, tidy } from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import { Dropout } from "../dropout.js";
import { Linear } from "../linear.js";
import { Module } from "../module.js";
import {
  Accuracy,
  AdamW,
  type BatchSource,
  CosineAnnealingLR,
  CrossEntropyLoss,
  checkpoints,
  DataLoader,
  earlyStopping,
  type FitOptions,
  findBestCheckpoint,
  type HostTensor,
  listCheckpoints,
  loadLastCheckpoint,
  memoryStorage,
  SGD,
  TensorDataset,
  Trainer,
  type TrainerOptions,
  type TrainingCallback,
} from "./index.js";

type Pair = readonly Tensor[];

/** Two layers with dropout between them. */
class Perceptron extends Module<[x: Tensor], Tensor> {
  readonly hidden = new Linear(2, 16);
  readonly dropout: Dropout;
  readonly output = new Linear(16, 2);

  constructor(probability = 0) {
    super();
    this.dropout = new Dropout(probability);
  }

  protected forward(x: Tensor): Tensor {
    return this.output.call(this.dropout.call(relu(this.hidden.call(x))));
  }
}

/** Points of the plane; their class is whether both coordinates have one sign. */
function quadrants(count: number): TensorDataset {
  const generator = manualSeed(1).fork("points");
  const points = Float32Array.from({ length: 2 * count }, () => 2 * generator.uniform() - 1);
  const labels = Int32Array.from({ length: count }, (_, i) =>
    points[2 * i] * points[2 * i + 1] > 0 ? 1 : 0,
  );
  const inputs: HostTensor = { values: points, shape: [count, 2], dtype: "float32" };
  return new TensorDataset([inputs, { values: labels, shape: [count], dtype: "int32" }]);
}

async function weights(model: Perceptron): Promise<number[]> {
  return (await Promise.all(model.parameters().map(async ({ value }) => [...(await read(value))]))).flat();
}

/** A run with all that has a state: dropout, AdamW, schedule, shuffling, metrics, early stopping. */
function makeRun(options: Partial<TrainerOptions<Pair, Perceptron>> = {}, batchSize = 8) {
  manualSeed(3);
  const model = new Perceptron(0.3);
  const optimizer = new AdamW(model.parameters(), { learningRate: 0.05 });
  const schedule = new CosineAnnealingLR(optimizer, { totalIterations: 20 });
  const data = quadrants(20);
  const loader = new DataLoader(data, { batchSize, shuffle: true, seed: 5 });
  const validation = new DataLoader(data, { batchSize: 10 });
  const loss = new CrossEntropyLoss();
  const trainer = new Trainer<Pair, Perceptron>({
    model,
    optimizer,
    schedule,
    loss,
    metrics: { accuracy: new Accuracy() },
    ...options,
  });
  manualSeed(11);
  const dispose = (): void => {
    optimizer.dispose();
    model.dispose();
  };
  return { model, optimizer, loader, validation, trainer, dispose };
}

/** Aborts after so many steps. */
function abortAfter(steps: number): { callback: TrainingCallback; signal: AbortSignal } {
  const controller = new AbortController();
  const callback: TrainingCallback = {
    name: "abort",
    onStepEnd: ({ trainer }) => {
      if (trainer.step === steps) controller.abort(new Error("enough"));
    },
  };
  return { callback, signal: controller.signal };
}

describeEachDevice("Trainer", () => {
  it("learns a problem that is not linear, and leaves nothing in memory", async () => {
    await expectNoLeak(async () => {
      manualSeed(3);
      const model = new Perceptron();
      const optimizer = new AdamW(model.parameters(), { learningRate: 0.05 });
      const loader = new DataLoader(quadrants(128), { batchSize: 64, shuffle: true, seed: 5 });
      const trainer = new Trainer({
        model,
        optimizer,
        loss: new CrossEntropyLoss(),
        metrics: { accuracy: new Accuracy() },
      });
      const { outcome, history } = await trainer.fit(loader, {
        epochs: 20,
        validation: new DataLoader(quadrants(128), { batchSize: 50 }),
      });
      expect(outcome).toBe("finished");
      expect(history.losses).toHaveLength(40);
      expect(history.latest("validation.accuracy")).toBeGreaterThan(0.9);
      expect(history.latest("loss")).toBeLessThan(history.epochs[0].values.loss);
      expect(model.training).toBe(false);
      optimizer.dispose();
      model.dispose();
    });
  });

  it("resumes bit-exactly after any step, within and between epochs", async () => {
    const storage = memoryStorage();
    const epochs = 3;
    const whole = makeRun();
    const saveAll: TrainingCallback = checkpoints({
      folder: "run",
      everySteps: 1,
      everyEpochs: 1,
      keepLast: 100,
      storage,
    });
    const stopping = (): TrainingCallback => earlyStopping({ patience: 10 });
    const options = (): FitOptions<Pair> => ({
      epochs,
      validation: whole.validation,
      callbacks: [stopping(), saveAll],
    });
    await whole.trainer.fit(whole.loader, options());
    const expected = await weights(whole.model);
    const all = await listCheckpoints("run", { storage });
    expect(all).toHaveLength(9 + 3);
    for (const { path } of [all[0], all[2], all[3], all[5], all[9], all[11]]) {
      const part = makeRun();
      const copy = memoryStorage();
      for (const file of [
        "state.json",
        "model.safetensors",
        "optimizer.safetensors",
        "callbacks.safetensors",
        "history.f64",
      ])
        await copy.write(`${path}/${file}`, await storage.read(`${path}/${file}`));
      const { history } = await part.trainer.fit(part.loader, {
        epochs,
        validation: part.validation,
        callbacks: [stopping()],
        resumeFrom: "run",
        storage: copy,
      });
      expect(await weights(part.model), path).toEqual(expected);
      expect(history.losses).toEqual(whole.trainer.history.losses);
      const values = (run: typeof whole) => run.trainer.history.epochs.map((record) => record.values);
      expect(values(part)).toEqual(values(whole));
      part.dispose();
    }
    whole.dispose();
  });
});

describe("Trainer", () => {
  it("goes on where it was aborted, with batches accumulated", async () => {
    const accumulated = { gradientAccumulation: 2, maxGradientNorm: 1, maxGradientValue: 0.5 };
    const whole = makeRun(accumulated, 4);
    await whole.trainer.fit(whole.loader, { epochs: 3 });
    expect(whole.trainer.step).toBe(9);
    for (const steps of [1, 3, 5]) {
      const part = makeRun(accumulated, 4);
      const before = memory().numTensors;
      const { callback, signal } = abortAfter(steps);
      await expect(
        part.trainer.fit(part.loader, { epochs: 3, signal, callbacks: [callback] }),
      ).rejects.toThrow("enough");
      expect(part.trainer.step).toBe(steps);
      // two moments a parameter came with the first step
      expect(memory().numTensors - before).toBe(8);
      await part.trainer.fit(part.loader, { epochs: 3 });
      expect(await weights(part.model)).toEqual(await weights(whole.model));
      expect(part.trainer.history.epochs.map(({ values }) => values)).toEqual(
        whole.trainer.history.epochs.map(({ values }) => values),
      );
      part.dispose();
    }
    whole.dispose();
  });

  it("takes the mean gradient of accumulated batches: as one batch of all", async () => {
    const make = (batchSize: number, gradientAccumulation: number) => {
      manualSeed(3);
      const model = new Perceptron();
      const optimizer = new SGD(model.parameters(), { learningRate: 0.5 });
      const loader = new DataLoader(quadrants(16), { batchSize });
      return {
        model,
        loader,
        trainer: new Trainer({ model, optimizer, loss: new CrossEntropyLoss(), gradientAccumulation }),
      };
    };
    const one = make(16, 1);
    const four = make(4, 4);
    for (const { trainer, loader } of [one, four]) await trainer.fit(loader, { epochs: 3 });
    const expected = await weights(one.model);
    (await weights(four.model)).forEach((value, index) => {
      expect(value).toBeCloseTo(expected[index], 5);
    });
    expect(four.trainer.history.losses[2]).toBeCloseTo(one.trainer.history.losses[2], 5);
    one.model.dispose();
    four.model.dispose();
  });

  it("stops at a loss that is not finite, and names the step", async () => {
    const run = makeRun({
      computeLoss: ([x], model) => tidy(() => div(sum(model.call(x)), run.trainer.step === 2 ? 0 : 1)),
      loss: undefined,
    } as Partial<TrainerOptions<Pair, Perceptron>>);
    const before = memory().numTensors;
    const ends: string[] = [];
    const callback: TrainingCallback = { name: "end", onFitEnd: ({ outcome }) => void ends.push(outcome) };
    await expect(run.trainer.fit(run.loader, { epochs: 3, callbacks: [callback] })).rejects.toThrow(
      /expected a finite loss, got -?(Infinity|NaN) at step 3; .*detectAnomaly/,
    );
    expect(ends).toEqual(["failed"]);
    expect(memory().numTensors - before).toBe(8);
    run.dispose();
  });

  it("skips steps that are not finite when asked, and gives up when all are", async () => {
    let calls = 0;
    const run = makeRun({
      nonFinite: "skip",
      loss: undefined,
      computeLoss: ([x], model) => {
        calls++;
        return tidy(() => div(sum(sub(model.call(x), 0.1)), calls === 2 ? 0 : 100));
      },
    } as Partial<TrainerOptions<Pair, Perceptron>>);
    await run.trainer.fit(run.loader, { epochs: 2 });
    expect(run.trainer.skippedSteps).toBe(1);
    expect(run.trainer.step).toBe(5);
    expect((await weights(run.model)).every(Number.isFinite)).toBe(true);
    run.dispose();
    const lost = makeRun({
      nonFinite: "skip",
      loss: undefined,
      computeLoss: ([x], model) => tidy(() => div(sum(model.call(x)), 0)),
    } as Partial<TrainerOptions<Pair, Perceptron>>);
    await expect(lost.trainer.fit(lost.loader, { epochs: 10 })).rejects.toThrow(
      /none in 11 steps in a row after step 0/,
    );
    lost.dispose();
  });

  it("stops early and restores the best weights", async () => {
    const run = makeRun();
    const scores = [3, 1, 2, 2, 2, 2];
    const snapshots: number[][] = [];
    const fake: TrainingCallback = {
      name: "fake",
      onEpochEnd: async (record) => {
        (record.values as Record<string, number>)["validation.loss"] = scores[record.epoch - 1];
        snapshots.push(await weights(run.model));
      },
    };
    const stopping = earlyStopping({ patience: 3 });
    const { outcome, reason } = await run.trainer.fit(run.loader, { epochs: 6, callbacks: [fake, stopping] });
    expect(outcome).toBe("stopped");
    expect(reason).toMatch(/validation.loss did not improve for 3 epochs; best 1 in epoch 2/);
    expect(stopping.best).toEqual({ value: 1, epoch: 2 });
    expect(snapshots).toHaveLength(5);
    expect(await weights(run.model)).toEqual(snapshots[1]);
    await expect(
      run.trainer.fit(run.loader, { epochs: 9, callbacks: [earlyStopping({ monitor: "validation.f1" })] }),
    ).rejects.toThrow(/got monitor validation.f1/);
    run.dispose();
  });

  it("times a few steps without leaving a trace", async () => {
    const plain = makeRun();
    await plain.trainer.fit(plain.loader, { epochs: 2, validation: plain.validation });
    const estimated = makeRun();
    let seconds = 0;
    const callback: TrainingCallback = {
      name: "look",
      onFitStart: ({ estimate, trainer, totalSteps }) => {
        expect(estimate?.steps).toBe(6);
        expect(totalSteps).toBe(6);
        expect(trainer.step).toBe(0);
        seconds = estimate!.seconds;
      },
    };
    await estimated.trainer.fit(estimated.loader, {
      epochs: 2,
      validation: estimated.validation,
      estimate: true,
      callbacks: [callback],
    });
    expect(seconds).toBeGreaterThan(0);
    expect(await weights(estimated.model)).toEqual(await weights(plain.model));
    expect(estimated.trainer.history.losses).toEqual(plain.trainer.history.losses);
    plain.dispose();
    estimated.dispose();
  });

  it("evaluates without changing mode, metrics or weights, and weighs batches by their size", async () => {
    const run = makeRun();
    const before = await weights(run.model);
    run.model.train();
    const parts = await run.trainer.evaluate(new DataLoader(quadrants(20), { batchSize: 7 }));
    const all = await run.trainer.evaluate(new DataLoader(quadrants(20), { batchSize: 20 }));
    expect(parts.loss).toBeCloseTo(all.loss, 5);
    expect(parts.accuracy).toBe(all.accuracy);
    expect(run.model.training).toBe(true);
    expect(await weights(run.model)).toEqual(before);
    const aborted = AbortSignal.abort(new Error("no"));
    await expect(run.trainer.evaluate(run.validation, { signal: aborted })).rejects.toThrow("no");
    run.dispose();
  });

  it("keeps the last checkpoints and the best", async () => {
    const storage = memoryStorage();
    const run = makeRun();
    const scores = [3, 1, 2, 4];
    const fake: TrainingCallback = {
      name: "fake",
      onEpochEnd: (record) => {
        (record.values as Record<string, number>).score = scores[record.epoch - 1];
      },
    };
    const keep = checkpoints({ folder: "run", everySteps: 2, keepLast: 2, monitor: "score", storage });
    await run.trainer.fit(run.loader, { epochs: 4, callbacks: [keep, fake] });
    expect((await listCheckpoints("run", { storage })).map(({ step, epoch }) => [step, epoch])).toEqual([
      [6, 2],
      [12, 3],
      [12, 4],
    ]);
    expect((await findBestCheckpoint("run", { storage })).monitored).toBe(1);
    expect((await findBestCheckpoint("run", { storage, mode: "max" })).monitored).toBe(4);
    const other = makeRun();
    await expect(
      other.trainer.fit(other.loader, { epochs: 1, callbacks: [checkpoints({ folder: "run", storage })] }),
    ).rejects.toThrow(/no later checkpoint than step 0 in run, got step 12; pass resumeFrom/);
    run.dispose();
    other.dispose();
  });

  it("passes over checkpoints that are cut or changed", async () => {
    const storage = memoryStorage();
    const run = makeRun();
    const save = checkpoints({ folder: "run", everySteps: 1, keepLast: 3, storage });
    await run.trainer.fit(run.loader, { epochs: 3, maxSteps: 4, callbacks: [save] });
    const step = async (): Promise<number | undefined> =>
      (await loadLastCheckpoint("run", { storage }))?.json.step;
    expect(await step()).toBe(4);
    const model = "run/step-0000000004/model.safetensors";
    const bytes = await storage.read(model);
    bytes[bytes.length - 1] ^= 1;
    await storage.write(model, bytes);
    expect(await step()).toBe(3);
    await storage.write(
      "run/step-0000000003/state.json",
      (await storage.read("run/step-0000000003/state.json")).subarray(0, 40),
    );
    expect(await step()).toBe(2);
    await storage.remove("run/step-0000000002/optimizer.safetensors");
    expect(await step()).toBeUndefined();
    run.dispose();
  });

  it("refuses what makes no sense", async () => {
    const run = makeRun();
    const { model, optimizer } = run;
    const loss = new CrossEntropyLoss();
    expect(() => new Trainer({ model, optimizer })).toThrow(/either loss or computeLoss/);
    expect(() => new Trainer({ model, optimizer, loss, gradientAccumulation: 0 })).toThrow(
      /gradientAccumulation of at least 1/,
    );
    expect(() => new Trainer({ model, optimizer, loss, maxGradientNorm: 0 })).toThrow(
      /maxGradientNorm above 0/,
    );
    await expect(run.trainer.fit(run.loader, { epochs: 0 })).rejects.toThrow(/epochs of at least 1, got 0/);
    await expect(
      run.trainer.fit(run.loader, { epochs: 1, signal: AbortSignal.abort(new Error("no")) }),
    ).rejects.toThrow("no");
    const empty = new DataLoader(quadrants(3), { batchSize: 4, dropLast: true });
    await expect(run.trainer.fit(empty, { epochs: 1 })).rejects.toThrow(/at least one batch, got none/);
    const twice = [earlyStopping(), earlyStopping()];
    await expect(run.trainer.fit(run.loader, { epochs: 1, callbacks: twice })).rejects.toThrow(
      /different names, got early-stopping twice/,
    );
    const first = run.trainer.fit(run.loader, { epochs: 1 });
    await expect(run.trainer.fit(run.loader, { epochs: 1 })).rejects.toThrow(/one run at a time/);
    await first;
    const state = await run.trainer.state();
    const other = makeRun({ metrics: {} });
    expect(() => other.trainer.loadState(state)).toThrow(/metrics none as in this trainer, got accuracy/);
    const notScalar = makeRun({ loss: undefined, computeLoss: ([x], net) => net.call(x) } as Partial<
      TrainerOptions<Pair, Perceptron>
    >);
    const before = memory().numTensors;
    await expect(notScalar.trainer.fit(notScalar.loader as BatchSource<Pair>, { epochs: 1 })).rejects.toThrow(
      /a scalar loss, got shape \[8, 2\]/,
    );
    expect(memory().numTensors).toBe(before);
    for (const each of [run, other, notScalar]) each.dispose();
  });
});
