import { manualSeed, memory, relu, scalar, stopGradient, type Tensor, tensor, useDevice } from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { Linear } from "../linear.js";
import { Module } from "../module.js";
import { makeRun, Perceptron, quadrants, weights } from "../testing/tiny-run.js";
import {
  Accuracy,
  AdamW,
  CrossEntropyLoss,
  DataLoader,
  evaluate,
  findLearningRate,
  overfitOneBatch,
  predict,
  predictBatches,
  SGD,
  Trainer,
} from "./index.js";

beforeAll(() => useDevice("cpu"));

/** A signal that aborts when `count` has been called `times` times. */
function abortsAfter(times: number): { signal: AbortSignal; count: () => void } {
  const controller = new AbortController();
  let calls = 0;
  return {
    signal: controller.signal,
    count: () => {
      if (++calls === times) controller.abort(new Error("enough"));
    },
  };
}

/** A run that stopped within its second epoch, and the work beside it. */
async function interrupted(work: (run: ReturnType<typeof makeRun>) => Promise<unknown>): Promise<number[]> {
  const run = makeRun();
  await run.trainer.fit(run.loader, { epochs: 4, maxSteps: 4 });
  const before = JSON.stringify((await run.trainer.state()).json);
  await work(run);
  expect(JSON.stringify((await run.trainer.state()).json)).toBe(before);
  await run.trainer.fit(run.loader, { epochs: 4 });
  const result = await weights(run.model);
  run.dispose();
  return result;
}

describe("findLearningRate", () => {
  it("raises the rate exponentially, suggests the steepest fall and stops once the loss diverges", async () => {
    const run = makeRun();
    const seen: number[] = [];
    const search = await findLearningRate(run.trainer, run.loader, {
      minLearningRate: 1e-4,
      maxLearningRate: 1000,
      steps: 60,
      onStep: ({ step }) => seen.push(step),
    });
    const { trials, suggestion, minimum, diverged } = search;
    expect(seen).toEqual(trials.map(({ step }) => step));
    expect(trials[0].learningRate).toBeCloseTo(1e-4, 10);
    expect(trials[10].learningRate / trials[9].learningRate).toBeCloseTo(1e7 ** (1 / 59), 8);
    expect(diverged).toBe(true);
    expect(trials.length).toBeLessThan(60);
    expect(suggestion).toBeGreaterThan(1e-3);
    expect(suggestion).toBeLessThan(minimum as number);
    expect(structuredClone(search)).toEqual(search);
    run.dispose();
  });

  it("leaves no trace in a run, however it ends", async () => {
    const plain = await interrupted(async () => undefined);
    expect(
      await interrupted(({ trainer, loader }) => findLearningRate(trainer, loader, { steps: 12 })),
    ).toEqual(plain);
    const { signal, count } = abortsAfter(3);
    const aborted = await interrupted(({ trainer, loader }) =>
      expect(findLearningRate(trainer, loader, { signal, onStep: count })).rejects.toThrow("enough"),
    );
    expect(aborted).toEqual(plain);
    const memorised = await interrupted(({ trainer, loader }) =>
      overfitOneBatch(trainer, loader, { steps: 5 }),
    );
    expect(memorised).toEqual(plain);
  });

  it("refuses options out of range and data that are none", async () => {
    const { trainer, loader, dispose } = makeRun();
    const cases = [
      [{ minLearningRate: 0 }, /0 < minLearningRate < maxLearningRate, got 0 and 10/],
      [{ minLearningRate: 20 }, /got 20 and 10/],
      [{ steps: 0 }, /steps of at least 1, got 0/],
      [{ smoothing: 1 }, /smoothing in \[0, 1\), got 1/],
      [{ divergence: 1 }, /divergence above 1, got 1/],
      [{ rate: 1 }, /one named rate/],
    ] as const;
    for (const [options, message] of cases)
      await expect(findLearningRate(trainer, loader, options as object)).rejects.toThrow(message);
    await expect(findLearningRate(trainer, [] as never)).rejects.toThrow(
      /a DataLoader for training, got an array/,
    );
    dispose();
  });
});

describeEachDevice("trial runs", () => {
  it("leave nothing in memory", async () => {
    const run = makeRun();
    await expectNoLeak(async () => {
      await findLearningRate(run.trainer, run.loader, { steps: 4 });
      await overfitOneBatch(run.trainer, run.loader, { steps: 2 });
    });
    run.dispose();
  });
});

/** A net of which parts can be broken. */
class Broken extends Module<[x: Tensor], Tensor> {
  readonly hidden = new Linear(2, 16);
  readonly unused = new Linear(2, 2);
  readonly cut = new Linear(2, 16);
  readonly output = new Linear(16, 2);

  protected forward(x: Tensor): Tensor {
    stopGradient(this.cut.call(x));
    return this.output.call(relu(this.hidden.call(x)));
  }
}

describe("overfitOneBatch", () => {
  const trainerOf = (model: Broken | Perceptron, parameters = model.parameters(), learningRate = 0.05) =>
    new Trainer({ model, optimizer: new AdamW(parameters, { learningRate }), loss: new CrossEntropyLoss() });
  const loader = (): DataLoader<Tensor[], Tensor[]> => new DataLoader(quadrants(16), { batchSize: 16 });

  it("passes for a model that can learn the batch by heart", async () => {
    manualSeed(3);
    const model = new Perceptron();
    const losses: number[] = [];
    const report = await overfitOneBatch(trainerOf(model), loader(), {
      targetLoss: 0.05,
      onStep: (_, loss) => losses.push(loss),
    });
    expect(report.passed).toBe(true);
    expect(report.problems).toEqual([]);
    expect(report.losses).toEqual(losses);
    expect(losses.at(-1)).toBeLessThanOrEqual(0.05);
    expect(report.explanation).toMatch(
      /^The loss of one batch went from 0\.\d+ to 0\.0\d+ in \d+ steps: the model can/,
    );
    model.dispose();
  });

  it("names what is frozen, left out, not reached and dead", async () => {
    manualSeed(3);
    const model = new Broken();
    const [weight, bias] = model.hidden.parameters();
    weight.setValue(
      tensor(
        Array.from({ length: 32 }, () => 0),
        weight.shape,
      ),
    );
    bias.setValue(tensor(Array.from({ length: 16 }, () => -1)));
    model.output.parameters()[1].requiresGrad = false;
    const parameters = model.parameters().filter((parameter) => parameter !== bias);
    const report = await overfitOneBatch(trainerOf(model, parameters), loader(), { steps: 3 });
    expect(report.passed).toBe(false);
    const found = report.problems.map(({ kind, path }) => `${kind} ${path ?? ""}`);
    expect(found).toEqual(
      expect.arrayContaining([
        "no-gradient unused.weight",
        "no-gradient cut.weight",
        "same-output hidden",
        "zero-gradient hidden.weight",
        "frozen output.bias",
        "not-in-optimizer hidden.bias",
      ]),
    );
    expect(found).not.toContain("no-gradient hidden.weight");
    expect(report.explanation).toContain("No gradient reaches unused.weight: the loss does not depend on it");
    model.dispose();
  });

  it("says that a rate is too high or too low, that dropout is on, and that a loss was not finite", async () => {
    manualSeed(3);
    const kinds = async (learningRate: number, probability: number, options = {}): Promise<string[]> => {
      const model = new Perceptron(probability);
      const { problems } = await overfitOneBatch(trainerOf(model), loader(), {
        steps: 20,
        learningRate,
        ...options,
      });
      model.dispose();
      return problems.map(({ kind }) => kind);
    };
    expect(await kinds(1e-5, 0.5)).toEqual(["dropout", "slow"]);
    expect(await kinds(100, 0)).toContain("rising-loss");
    const model = new Perceptron();
    const optimizer = new SGD(model.parameters(), { learningRate: 0.1 });
    const infinite = new Trainer({ model, optimizer, loss: () => scalar(Number.NaN) });
    await expect(overfitOneBatch(infinite, loader())).rejects.toThrow(/a loss that depends on the optimizer/);
    model.dispose();
  });

  it("refuses options out of range, and ends when aborted", async () => {
    const model = new Perceptron();
    const trainer = trainerOf(model);
    await expect(overfitOneBatch(trainer, loader(), { steps: 0.5 })).rejects.toThrow(
      /steps of at least 1, got 0.5/,
    );
    await expect(overfitOneBatch(trainer, loader(), { targetLoss: Number.NaN })).rejects.toThrow(
      /finite targetLoss/,
    );
    await expect(overfitOneBatch(trainer, loader(), { learningRate: 0 })).rejects.toThrow(/above 0, got 0/);
    const { signal, count } = abortsAfter(2);
    const before = memory().numTensors;
    await expect(overfitOneBatch(trainer, loader(), { signal, onStep: count })).rejects.toThrow("enough");
    expect(memory().numTensors).toBe(before);
    model.dispose();
  });
});

describe("evaluate", () => {
  it("gives what the trainer's evaluation gives, without a trainer", async () => {
    const run = makeRun();
    const expected = await run.trainer.evaluate(run.validation);
    const progress: string[] = [];
    const result = await evaluate(run.model, run.validation, {
      loss: new CrossEntropyLoss(),
      metrics: { accuracy: new Accuracy() },
      onProgress: ({ done, total }) => progress.push(`${done}/${total}`),
    });
    expect(result).toEqual(expected);
    expect(progress).toEqual(["1/2", "2/2"]);
    expect(run.model.training).toBe(true);
    const { signal, count } = abortsAfter(1);
    await expect(
      evaluate(run.model, run.validation, { loss: new CrossEntropyLoss(), signal, onProgress: count }),
    ).rejects.toThrow("enough");
    await expect(evaluate(run.model, run.validation, {})).rejects.toThrow(/either loss or computeLoss/);
    await expect(evaluate(run.model, [] as never, { loss: new CrossEntropyLoss() })).rejects.toThrow(
      /evaluate: expected a DataLoader for evaluation/,
    );
    run.dispose();
  });
});

describeEachDevice("predict", () => {
  it("puts the outputs of all batches together, in evaluation mode, and leaves nothing in memory", async () => {
    const { model, validation, dispose } = makeRun();
    model.dropout.training = false;
    await expectNoLeak(async () => {
      const { values, shape, dtype } = await predict(model, validation);
      expect([shape, dtype]).toEqual([[20, 2], "float32"]);
      const rows: unknown[] = [];
      for await (const batch of predictBatches(model, validation, { form: "arrays" }))
        rows.push(...(batch as []));
      expect(rows.flat()).toEqual([...values]);
      for await (const scores of predictBatches(model, validation, { form: "tensors" })) scores.dispose();
    });
    expect([model.training, model.dropout.training]).toEqual([true, false]);
    dispose();
  });
});

describe("predict", () => {
  it("takes any structure of outputs, gives copies of inputs, and frees all when it is left", async () => {
    const { model, validation, dispose } = makeRun();
    await expectNoLeak(async () => {
      const { points, scores } = await predict(model, validation, {
        compute: ([x], net) => ({ points: x, scores: [net.call(x)] }),
      });
      expect([points.shape, scores[0].shape]).toEqual([
        [20, 2],
        [20, 2],
      ]);
      for await (const { values } of predictBatches(model, validation)) {
        expect(values).toHaveLength(20);
        break;
      }
      const { signal, count } = abortsAfter(1);
      await expect(predict(model, validation, { signal, onProgress: count })).rejects.toThrow("enough");
    });
    dispose();
  });

  it("refuses what it cannot use", async () => {
    const { model, validation, dispose } = makeRun();
    await expect(predict({} as never, validation)).rejects.toThrow(/expected a model, got object/);
    await expect(predict(model, 3 as never)).rejects.toThrow(/expected batches, got number/);
    await expect(predict(model, [])).rejects.toThrow(/at least one batch, got none/);
    await expect(predict(model, [["a"]])).rejects.toThrow(/begins with one as batch, got a list without/);
    await expect(predict(model, [], { batchSize: 2 } as never)).rejects.toThrow(/one named batchSize/);
    await expect(predictBatches(model, [], { form: "list" as never }).next()).rejects.toThrow(
      /form host, arrays/,
    );
    dispose();
  });
});
