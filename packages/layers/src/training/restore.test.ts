import { memory, useDevice } from "@ai/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { makeRun, weights } from "../testing/tiny-run.js";
import {
  CrossEntropyLoss,
  ExponentialMovingAverage,
  Lion,
  loadCheckpoint,
  memoryStorage,
  type Optimizer,
  type OptimizerOptions,
  ReduceLROnPlateau,
  StepLR,
  StochasticWeightAverage,
  saveCheckpoint,
  Trainer,
  type TrainingState,
  weightAveraging,
} from "./index.js";

beforeAll(async () => {
  await useDevice("cpu");
});

/** A run with another optimizer than `makeRun`'s. */
function makeOther() {
  const run = makeRun();
  const optimizer: Optimizer<OptimizerOptions> = new Lion(run.model.parameters());
  const schedule = new StepLR(optimizer, { stepSize: 5 });
  const trainer = new Trainer({ model: run.model, optimizer, schedule, loss: new CrossEntropyLoss() });
  return { run, optimizer, trainer };
}

describe("Trainer.loadState", () => {
  it("names another optimizer or schedule before it changes the model", async () => {
    const source = makeRun({ metrics: {} });
    await source.trainer.fit(source.loader, { epochs: 1 });
    const state = await source.trainer.state();
    const { run, optimizer, trainer } = makeOther();
    const before = await weights(run.model);
    const tensors = memory().numTensors;
    expect(() => trainer.loadState(state)).toThrow(
      /Lion.loadState: expected a state of Lion, got one of AdamW/,
    );
    const mixed: TrainingState = {
      ...state,
      optimizer: new Map(),
      json: { ...state.json, optimizer: (await optimizer.state()).json },
    };
    expect(() => trainer.loadState(mixed)).toThrow(
      /StepLR.loadState: expected a state of StepLR .*CosineAnnealingLR/,
    );
    expect(await weights(run.model)).toEqual(before);
    expect(memory().numTensors).toBe(tensors);
    for (const part of [source, run]) part.dispose();
  });
});

describe("weightAveraging", () => {
  it("averages after steps, is part of a checkpoint, and goes on from one", async () => {
    const make = () => {
      const run = makeRun();
      const average = new ExponentialMovingAverage(run.model.parameters(), { decay: 0.5 });
      return { run, average, callbacks: [weightAveraging(average, { startStep: 2, interval: 2 })] };
    };
    const whole = make();
    await whole.run.trainer.fit(whole.run.loader, { epochs: 3, callbacks: whole.callbacks });
    expect(whole.average.updates).toBe(4);
    const part = make();
    await part.run.trainer.fit(part.run.loader, { epochs: 2, callbacks: part.callbacks });
    expect(part.average.updates).toBe(3);
    const storage = memoryStorage();
    const { path } = await saveCheckpoint("runs", await part.run.trainer.state(), { storage });
    const resumed = make();
    resumed.run.trainer.loadState(await loadCheckpoint(path, { storage }));
    await resumed.run.trainer.fit(resumed.run.loader, { epochs: 3, callbacks: resumed.callbacks });
    const expected = await whole.average.during(() => weights(whole.run.model));
    expect(await resumed.average.during(() => weights(resumed.run.model))).toEqual(expected);
    expect(expected).not.toEqual(await weights(whole.run.model));
    for (const { run, average } of [whole, part, resumed]) {
      average.dispose();
      run.dispose();
    }
  });

  it("keeps several averages of one run apart, under names of their own", async () => {
    const make = () => {
      const run = makeRun();
      const moving = new ExponentialMovingAverage(run.model.parameters(), { decay: 0.5 });
      const mean = new StochasticWeightAverage(run.model.parameters());
      const callbacks = [weightAveraging(moving), weightAveraging(mean, { name: "swa", startStep: 2 })];
      return { run, averages: [moving, mean], callbacks };
    };
    const whole = make();
    await whole.run.trainer.fit(whole.run.loader, { epochs: 2, callbacks: whole.callbacks });
    const part = make();
    await part.run.trainer.fit(part.run.loader, { epochs: 1, callbacks: part.callbacks });
    const state = await part.run.trainer.state();
    const resumed = make();
    resumed.run.trainer.loadState(state);
    await resumed.run.trainer.fit(resumed.run.loader, { epochs: 2, callbacks: resumed.callbacks });
    const values = ({ averages }: ReturnType<typeof make>) =>
      Promise.all(averages.map(async (average) => [...(await average.state()).tensors.values()]));
    const [moving, mean] = await values(whole);
    expect(await values(resumed)).toEqual([moving, mean]);
    expect(moving).not.toEqual(mean);
    for (const { run, averages } of [whole, part, resumed]) {
      for (const average of averages) average.dispose();
      run.dispose();
    }
  });

  it("refuses intervals and options that make no sense", () => {
    const { model, dispose } = makeRun();
    const average = new ExponentialMovingAverage(model.parameters());
    expect(() => weightAveraging(average, { interval: 0 })).toThrow(/interval of at least 1, got 0/);
    expect(() => weightAveraging(average, { every: 2 } as object)).toThrow(/got one named every/);
    expect(() => weightAveraging(average, { name: "a/b" })).toThrow(/a name without slashes, got "a\/b"/);
    dispose();
  });
});

describe("ReduceLROnPlateau in a run", () => {
  it("falls with the value that it monitors, and is part of the state", async () => {
    const run = makeRun();
    const make = (monitor: string) => {
      const schedule = new ReduceLROnPlateau(run.optimizer, {
        monitor,
        mode: "max",
        patience: 0,
        threshold: 10,
      });
      const { model, optimizer } = run;
      const loss = new CrossEntropyLoss();
      return new Trainer({ model, optimizer, schedule, scheduleInterval: "epoch", loss });
    };
    const trainer = make("loss");
    const [before] = run.optimizer.groups.map(({ options }) => options.learningRate);
    await trainer.fit(run.loader, { epochs: 3 });
    // the first value is the best, the others are no ten times better
    expect(trainer.learningRate).toBeCloseTo(before * 0.01, 12);
    const state = await trainer.state();
    expect(state.json.schedule).toMatchObject({ name: "ReduceLROnPlateau", steps: 3 });
    trainer.loadState(state);
    expect(trainer.learningRate).toBeCloseTo(before * 0.01, 12);
    await expect(make("validation.f1").fit(run.loader, { epochs: 4 })).rejects.toThrow(
      /the schedule to monitor one of loss, got validation.f1/,
    );
    const schedule = new ReduceLROnPlateau(run.optimizer);
    const { model, optimizer } = run;
    expect(() => new Trainer({ model, optimizer, schedule, loss: new CrossEntropyLoss() })).toThrow(
      /scheduleInterval "epoch" for a schedule that monitors validation.loss, got "step"/,
    );
    run.dispose();
  });
});
