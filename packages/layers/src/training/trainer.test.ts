import { div, manualSeed, memory, sub, sum, tidy } from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import { makeRun, type Pair, Perceptron, quadrants, weights } from "../testing/tiny-run.js";
import {
  Accuracy,
  AdamW,
  type BatchSource,
  CrossEntropyLoss,
  DataLoader,
  earlyStopping,
  SGD,
  StepLR,
  Trainer,
  type TrainerOptions,
  type TrainingCallback,
} from "./index.js";

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
      run.trainer.fit(run.loader, {
        epochs: 9,
        callbacks: [earlyStopping({ monitor: "validation.f1", mode: "max" })],
      }),
    ).rejects.toThrow(/got monitor validation.f1/);
    run.dispose();
  });

  it("keeps the last weights when something else stops it, so that it can go on, and restores the best at the end", async () => {
    const whole = makeRun();
    await whole.trainer.fit(whole.loader, { epochs: 2 });
    const part = makeRun();
    const scored: TrainingCallback = {
      name: "scored",
      onEpochEnd: ({ epoch, values }) => {
        (values as Record<string, number>)["validation.loss"] = [1, 2, 3, 4][epoch - 1];
      },
    };
    let first: number[] = [];
    const button: TrainingCallback = {
      name: "button",
      onEpochEnd: async ({ epoch }, run) => {
        if (epoch === 1) first = await weights(part.model);
        if (epoch === 2) run.stop("the button");
      },
    };
    const stopping = earlyStopping({ patience: 9 });
    expect(() => stopping.restore(part.model)).toThrow(/expected a finished epoch/);
    const callbacks = [scored, stopping];
    const { reason } = await part.trainer.fit(part.loader, { epochs: 4, callbacks: [...callbacks, button] });
    expect(reason).toBe("the button");
    expect(await weights(part.model)).toEqual(await weights(whole.model));
    stopping.restore(part.model);
    expect(await weights(part.model)).toEqual(first);
    await part.trainer.fit(part.loader, { epochs: 4, maxSteps: part.trainer.step + 2, callbacks });
    expect(await weights(part.model)).toEqual(first);
    whole.dispose();
    part.dispose();
  });

  it("times a few steps without leaving a trace", async () => {
    const before = memory().numTensors;
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
    expect(memory().numTensors).toBe(before);
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
    expect(() => new Trainer({ model, optimizer, loss, lossFunction: loss } as never)).toThrow(
      /Trainer: expected options .*, got one named lossFunction/,
    );
    for (const [metrics, said] of [
      [[new Accuracy()], /metrics by name, got a list; pass \{ accuracy: new Accuracy\(\) \}/],
      [{ accuracy: Accuracy }, /a metric as accuracy, got a class or function; pass new Accuracy\(\)/],
    ] as const)
      expect(() => new Trainer({ model, optimizer, loss, metrics } as never)).toThrow(said);
    expect(() => new Trainer({ model, optimizer, loss: CrossEntropyLoss as never })).toThrow(
      /pass new CrossEntropyLoss\(\)/,
    );
    expect(() => new SGD(model.parameters(), {} as never)).toThrow(/^SGD: expected a learningRate, got none/);
    const monitor = earlyStopping({ monitor: "val_loss" });
    await expect(run.trainer.fit(run.loader, { epochs: 1, callbacks: [monitor] })).rejects.toThrow(
      /loss, accuracy, validation.loss, validation.accuracy, got monitor val_loss; did you mean validation.loss/,
    );
    expect(run.trainer.step).toBe(0);
    const late = new Trainer({ model, optimizer, computeLoss: async () => undefined } as never);
    await expect(late.fit(run.loader, { epochs: 1 })).rejects.toThrow(/got a promise; is computeLoss async/);
    class Silent extends Perceptron {
      protected override forward(): never {
        return undefined as never;
      }
    }
    const silent = new Trainer({ model: new Silent(), optimizer, loss });
    await expect(silent.fit(run.loader, { epochs: 1 })).rejects.toThrow(
      /got undefined; is a return missing in forward/,
    );
    const schedule = new StepLR(new SGD(model.parameters(), { learningRate: 1 }), { stepSize: 1 });
    expect(() => new Trainer({ model, optimizer, loss, schedule })).toThrow(/a schedule of this optimizer/);
    for (const [callbacks, said] of [
      [[() => 1], /got a function; name it/],
      [[earlyStopping], /got a function/],
      [[{ onEpochEnd: () => undefined }], /got object without a name/],
      [[{ name: "mine", onBatchEnd: () => undefined }], /onFitEnd, got onBatchEnd in mine; nothing calls it/],
      [earlyStopping(), /callbacks as an array, got object/],
    ] as const)
      await expect(run.trainer.fit(run.loader, { epochs: 1, callbacks } as never)).rejects.toThrow(said);
    await expect(run.trainer.fit(run.loader, { epochs: 1, steps: 3 } as never)).rejects.toThrow(
      /Trainer.fit: expected options .*, got one named steps/,
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

  it("leaves frozen parameters as they are", async () => {
    const run = makeRun();
    run.model.hidden.requiresGrad(false);
    const before = await weights(run.model);
    await run.trainer.fit(run.loader, { epochs: 1 });
    const after = await weights(run.model);
    const frozen = 2 * 16 + 16;
    expect(after.slice(0, frozen)).toEqual(before.slice(0, frozen));
    expect(after.slice(frozen)).not.toEqual(before.slice(frozen));
    run.model.requiresGrad(false);
    await expect(run.trainer.fit(run.loader, { epochs: 2 })).rejects.toThrow(/a parameter with requiresGrad/);
    run.dispose();
  });

  it("refuses a loss that ignores the optimizer's parameters, and batches that are no pairs", async () => {
    const run = makeRun();
    const other = new Perceptron();
    const before = memory().numTensors;
    const optimizer = new SGD(other.parameters(), { learningRate: 1 });
    const mixed = new Trainer({ model: run.model, optimizer, loss: new CrossEntropyLoss() });
    await expect(mixed.fit(run.loader, { epochs: 1 })).rejects.toThrow(/got one that ignores them all/);
    other.dispose();
    const numbers = new DataLoader({ length: 4, get: (index: number) => index }, { batchSize: 2 });
    const wrong = run.trainer.fit(numbers as unknown as BatchSource<Pair>, { epochs: 1 });
    await expect(wrong).rejects.toThrow(
      /Trainer: expected batches \[input, target\] of two tensors, got a tensor \[2\]; pass computeLoss: \(batch/,
    );
    expect(memory().numTensors).toBe(before);
    run.dispose();
  });

  it("reports the first error, not what callbacks throw afterwards", async () => {
    const run = makeRun();
    const ends: string[] = [];
    const failing: TrainingCallback = {
      name: "failing",
      onStepEnd: () => {
        throw new TypeError("first");
      },
      onFitEnd: () => {
        throw new TypeError("second");
      },
    };
    const last: TrainingCallback = { name: "last", onFitEnd: ({ reason }) => void ends.push(String(reason)) };
    await expect(run.trainer.fit(run.loader, { epochs: 1, callbacks: [failing, last] })).rejects.toThrow(
      "first",
    );
    expect(ends).toEqual(["first"]);
    const late: TrainingCallback = { ...failing, onStepEnd: () => undefined };
    await expect(run.trainer.fit(run.loader, { epochs: 1, callbacks: [late] })).rejects.toThrow("second");
    run.dispose();
  });

  it("shows metrics of the epoch in progress", async () => {
    const run = makeRun();
    const seen: number[] = [];
    const look: TrainingCallback = {
      name: "look",
      onStepValues: (_, { currentMetrics }) => void seen.push(currentMetrics().accuracy),
    };
    await run.trainer.fit(run.loader, { epochs: 1, callbacks: [look] });
    expect(seen).toHaveLength(3);
    expect(seen.at(-1)).toBeGreaterThan(0);
    run.dispose();
  });
});
