import { manualSeed, useDevice } from "@ai/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { type Pair, Perceptron, quadrants, weights } from "../testing/tiny-run.js";
import * as training from "./index.js";
import {
  CrossEntropyLoss,
  DataLoader,
  LengthBucketSampler,
  loadCheckpoint,
  memoryStorage,
  type Optimizer,
  type OptimizerOptions,
  RandomSampler,
  type Sampler,
  SequentialSampler,
  StratifiedSampler,
  SubsetRandomSampler,
  saveCheckpoint,
  Trainer,
  WeightedRandomSampler,
} from "./index.js";

beforeAll(() => useDevice("cpu"));

type OptimizerClass = new (parameters: readonly unknown[], options: object) => Optimizer<OptimizerOptions>;

/** Every optimizer that is exported, a new one too; with the options that give it more to remember. */
const OPTIONS: Readonly<Record<string, object>> = {
  SGD: { momentum: 0.9, nesterov: true },
  RMSprop: { momentum: 0.9, centered: true },
  Adam: { amsgrad: true },
};
const OPTIMIZERS = Object.entries(training).filter(
  (entry): entry is [string, never] =>
    typeof entry[1] === "function" &&
    entry[1].prototype instanceof training.Optimizer &&
    entry[1] !== (training.Optimizer as unknown),
) as unknown as readonly [string, OptimizerClass][];

const LABELS = Array.from({ length: 40 }, (_, index) => index % 3);
const SAMPLERS: Readonly<Record<string, () => Sampler>> = {
  SequentialSampler: () => new SequentialSampler(40),
  RandomSampler: () => new RandomSampler(40),
  "RandomSampler with replacement": () => new RandomSampler(40, { replacement: true }),
  SubsetRandomSampler: () => new SubsetRandomSampler(Array.from({ length: 30 }, (_, index) => 39 - index)),
  WeightedRandomSampler: () =>
    new WeightedRandomSampler(
      LABELS.map((label) => 1 + label),
      40,
    ),
  "WeightedRandomSampler without replacement": () =>
    new WeightedRandomSampler(
      LABELS.map((label) => 1 + label),
      30,
      { replacement: false },
    ),
  StratifiedSampler: () => new StratifiedSampler(LABELS),
  LengthBucketSampler: () => new LengthBucketSampler(LABELS, { batchSize: 8 }),
};

/** A run with dropout, accumulation and clipping. */
function makeRun(name: string, make: OptimizerClass, sampler: Sampler) {
  manualSeed(3);
  const model = new Perceptron(0.3);
  const all = model.parameters();
  const trained = name === "Muon" ? all.filter(({ shape }) => shape.length === 2) : all;
  const optimizer = new make(trained, { learningRate: 0.02, ...OPTIONS[name] });
  const loader = new DataLoader(quadrants(40), { batchSize: 8, sampler, seed: 5 });
  const trainer = new Trainer<Pair, Perceptron>({
    model,
    optimizer,
    loss: new CrossEntropyLoss(),
    gradientAccumulation: 2,
    maxGradientNorm: 1,
  });
  manualSeed(11);
  const dispose = (): void => {
    optimizer.dispose();
    model.dispose();
  };
  return { model, loader, trainer, dispose };
}

/** Weights after three epochs; `cut` saves after the fourth step, within an epoch, and goes on in a run that was made anew. */
async function endOf(make: () => ReturnType<typeof makeRun>, cut: boolean): Promise<number[]> {
  let run = make();
  if (cut) {
    await run.trainer.fit(run.loader, { epochs: 3, maxSteps: 4 });
    const storage = memoryStorage();
    const { path } = await saveCheckpoint("run", await run.trainer.state(), { storage });
    run.dispose();
    run = make();
    manualSeed(99); // what the checkpoint has counts
    run.trainer.loadState(await loadCheckpoint(path, { storage }));
  }
  await run.trainer.fit(run.loader, { epochs: 3 });
  const end = await weights(run.model);
  run.dispose();
  return end;
}

describe("a run that goes on from a checkpoint within an epoch ends with the same bits", () => {
  it.each(OPTIMIZERS)("with %s", async (name, make) => {
    const build = () => makeRun(name, make, new RandomSampler(40));
    const whole = await endOf(build, false);
    expect(await endOf(build, true)).toEqual(whole);
  });

  it.each(Object.keys(SAMPLERS))("with a %s", async (name) => {
    const [, sgd] = OPTIMIZERS.find(([each]) => each === "SGD")!;
    const build = () => makeRun("SGD", sgd, SAMPLERS[name]());
    const whole = await endOf(build, false);
    expect(await endOf(build, true)).toEqual(whole);
  });

  it("knows every optimizer and sampler", () => {
    expect(OPTIMIZERS.length).toBeGreaterThanOrEqual(13);
    const samplers = Object.keys(training).filter((name) => name.endsWith("Sampler"));
    const known = Object.keys(SAMPLERS).map((name) => name.split(" ")[0]);
    // whole batches: data/sampling.test.ts resumes it
    expect(samplers.filter((name) => !known.includes(name))).toEqual(["TokenBatchSampler"]);
  });
});
