import { InputError, sum, type Tensor, tensor, useDevice, zeros } from "@ai/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { Linear } from "../linear.js";
import * as training from "./index.js";

beforeAll(() => useDevice("cpu"));

/** Exports without an options object: what follows their arguments is not looked at. */
const WITHOUT_OPTIONS: readonly string[] = [
  "ArrayDataset",
  "ConcatDataset",
  "LearningRateSchedule",
  "MappedDataset",
  "MeanAbsoluteError",
  "MeanSquaredError",
  "PearsonCorrelation",
  "R2Score",
  "RemoteTraining",
  "RootMeanSquaredError",
  "SequentialSampler",
  "SpearmanCorrelation",
  "StochasticWeightAverage",
  "StratifiedSampler",
  "StreamSource",
  "SubsetDataset",
  "SubsetRandomSampler",
  "TensorDataset",
  "TopKAccuracy",
  "TrainingHistory",
  "WeightAverage",
  "WorkerDataset",
  "areFinite",
  "balancedWeights",
  "clipGradValue",
  "formatDuration",
  "formatRuns",
  "historyToCsv",
  "makePruningPermanent",
  "memoryStorage",
  "nodeStorage",
  "overSeeds",
  "removePrunedChannels",
  "serveDataset",
  "serveTraining",
  "sparsityReport",
];

/** Abstract: their subclasses are in the table. */
const ABSTRACT: readonly string[] = ["Optimizer"];

/** Arguments in front of the options of each export; what is left out takes options alone. */
function argumentsOf(name: string): readonly unknown[] {
  const model = new Linear(3, 2);
  const optimizer = new training.SGD(model.parameters(), { learningRate: 0.1 });
  const trainer = new training.Trainer({ model, optimizer, computeLoss: () => zeros([]) });
  const loader = new training.DataLoader(new training.ArrayDataset([1, 2]), { batchSize: 1 });
  const [x, ids] = [zeros([2, 3]), tensor([0, 1], [2], "int32")];
  const masks = zeros([2, 3, 1]);
  const comparison = { variants: [], seeds: [], epochs: [] };
  const known: Readonly<Record<string, readonly unknown[]>> = {
    ...Object.fromEntries(
      [
        "findBestCheckpoint",
        "listCheckpoints",
        "loadCheckpoint",
        "loadLastCheckpoint",
        "TensorBoardWriter",
      ].map((each) => [each, ["no/such/folder"]]),
    ),
    ...Object.fromEntries(
      ["l1Loss", "smoothL1Loss", "huberLoss", "mseLoss", "klDivLoss", "poissonNllLoss", "infoNceLoss"].map(
        (each) => [each, [x, x]],
      ),
    ),
    ...Object.fromEntries(
      ["hingeEmbeddingLoss", "softMarginLoss", "multiLabelSoftMarginLoss"].map((each) => [each, [x, x]]),
    ),
    ...Object.fromEntries(
      ["binaryCrossEntropy", "binaryCrossEntropyWithLogits", "sigmoidFocalLoss", "softTargetLoss"].map(
        (each) => [each, [x, x]],
      ),
    ),
    ...Object.fromEntries(
      ["crossEntropyLoss", "focalLoss", "multiMarginLoss", "nllLoss"].map((each) => [each, [x, ids]]),
    ),
    saveCheckpoint: ["no/such/folder", {}],
    compareRuns: [["no/such/folder"]],
    compareVariants: [[{ name: "a", create: () => model }]],
    formatComparison: [comparison],
    plotComparison: [comparison],
    reportRuns: [{ runs: [], values: [], differences: [] }],
    evaluate: [model, loader],
    predict: [model, loader],
    predictBatches: [model, loader],
    updateBatchNorm: [model, loader],
    findLearningRate: [trainer, loader],
    overfitOneBatch: [trainer, loader],
    parameterStatistics: [model],
    profile: [model, x],
    connectTraining: [{ postMessage: () => undefined, addEventListener: () => undefined }],
    DataLoader: [new training.ArrayDataset([1, 2])],
    LengthBucketSampler: [[1, 2]],
    TokenBatchSampler: [[1, 2]],
    RandomSampler: [5],
    WeightedRandomSampler: [[1, 2], 2],
    kFoldSplit: [5],
    randomSplit: [new training.ArrayDataset([1, 2]), [1, 1]],
    MappedSource: [new training.StreamSource(() => [1]), (item: number) => item],
    ShuffledSource: [new training.StreamSource(() => [1])],
    loadInWorkers: [() => ({ postMessage: () => undefined })],
    diceLoss: [masks, masks],
    gaussianNllLoss: [x, x, x],
    cosineEmbeddingLoss: [x, x, ids],
    marginRankingLoss: [x, x, x],
    multiLabelMarginLoss: [x, zeros([2, 3], "int32")],
    tripletMarginLoss: [x, x, x],
    tripletMarginWithDistanceLoss: [x, x, x],
    clipGradNorm: [[x], 1],
    gradientNorm: [[x]],
    minimize: [optimizer, () => sum(model.call(x))],
    LBFGS: [model.parameters()],
    ExponentialMovingAverage: [model.parameters()],
    weightAveraging: [new training.StochasticWeightAverage(model.parameters())],
    pruneChannels: [model],
    pruneWeights: [model],
  };
  const value = (training as Record<string, unknown>)[name] as { readonly prototype: unknown };
  if (value.prototype instanceof training.Optimizer) return [model.parameters()];
  if (value.prototype instanceof training.LearningRateSchedule) return [optimizer];
  return known[name] ?? [];
}

const NAMES = Object.entries(training).flatMap(([name, value]) =>
  typeof value === "function" && ![...WITHOUT_OPTIONS, ...ABSTRACT].includes(name) ? [name] : [],
);

/** Options that text may be right for, or that are used when a run begins: functions, objects and lists. */
const ANY_TEXT: readonly string[] = [
  ...["folder", "path", "name", "title", "monitored", "seed"],
  ...["storage", "output", "signal", "sampler", "batchSampler", "weight", "posWeight"],
  ...["collate", "compute", "computeLoss", "match", "onProgress", "onStatistics"],
];

async function give(name: string, options: unknown): Promise<unknown> {
  const value = (training as Record<string, unknown>)[name] as new (...given: unknown[]) => unknown;
  const given = [...argumentsOf(name), options];
  if (String(value).startsWith("class")) return new value(...given);
  const result = await (value as unknown as (...all: unknown[]) => unknown)(...given);
  // a generator looks at its options when it is asked for the first batch
  return (result as AsyncGenerator | undefined)?.next?.() ?? result;
}

describe("an option that does not exist is refused by name", () => {
  it.each(NAMES)("%s", async (name) => {
    await expect(give(name, { noSuchOption: 1 })).rejects.toThrow(
      /expected options \{.*\}, got one named noSuchOption/,
    );
    await expect(give(name, 0.3)).rejects.toThrow(/expected options \{.*\}, got 0\.3/);
  });

  it.each(NAMES)("and text for a number or a switch, as forms give it: %s", async (name) => {
    const refusal = (options: object): Promise<unknown> =>
      give(name, options).then(
        () => undefined,
        (error: unknown) => error,
      );
    const { message } = (await refusal({ noSuchOption: 1 })) as Error;
    for (const option of /expected options \{ (.*?) \}/.exec(message)![1].split(", "))
      if (!ANY_TEXT.includes(option))
        for (const value of ["0.5", ""])
          expect(await refusal({ [option]: value }), `${option} "${value}"`).toBeInstanceOf(InputError);
  });

  it("in the methods of a trainer", async () => {
    const model = new Linear(3, 2);
    const optimizer = new training.SGD(model.parameters(), { learningRate: 0.1 });
    const trainer = new training.Trainer<Tensor, Linear>({ model, optimizer, computeLoss: () => zeros([]) });
    const loader = new training.DataLoader(new training.ArrayDataset([1, 2]), { batchSize: 1 });
    await expect(trainer.evaluate(loader, { sgnal: 1 } as never)).rejects.toThrow(/got one named sgnal/);
    const fit = { epochs: 1, callback: [] } as never;
    await expect(trainer.fit(loader, fit)).rejects.toThrow(/got one named callback/);
    await expect(trainer.estimate(loader, fit)).rejects.toThrow(/got one named callback/);
  });

  it("in the histograms of TensorBoard", () => {
    const parameters = { evrySteps: 1 } as never;
    expect(() => training.tensorBoard({ folder: "a", parameters })).toThrow(/got one named evrySteps/);
  });

  it("and a mode that does not exist", async () => {
    const wrong = { mode: "maximum" } as never;
    await expect(training.findBestCheckpoint("no/such/folder", wrong)).rejects.toThrow(
      "findBestCheckpoint: expected mode min or max, got maximum",
    );
  });
});
