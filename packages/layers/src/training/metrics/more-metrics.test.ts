import { dispose, reshape, type Tensor, tensor, tidy, useDevice, zeros } from "@ai/tensor";
import { describeEachDevice, expectNoLeak, loadFixture } from "@ai/tensor/testing";
import { beforeAll, describe, expect, it } from "vitest";
import {
  Accuracy,
  AveragePrecision,
  type ClassAverage,
  ConfusionMatrix,
  ExpectedCalibrationError,
  F1Score,
  MeanAbsoluteError,
  MeanSquaredError,
  type Metric,
  PearsonCorrelation,
  Perplexity,
  Precision,
  R2Score,
  Recall,
  RocAuc,
  RootMeanSquaredError,
  SpearmanCorrelation,
  TopKAccuracy,
} from "./index.js";

beforeAll(() => useDevice("cpu"));

const fixture = await loadFixture(new URL("../../../fixtures/scores.safetensors", import.meta.url));
const list = (name: string): number[] => [...fixture.host(name).values];

/** The value of a metric fed in batches of 9, and through a saved state in between. */
async function measure(metric: Metric, outputName: string, targetName: string): Promise<number> {
  const [outputs, targets] = [fixture.host(outputName), fixture.host(targetName)];
  metric.reset();
  for (let begin = 0; begin < targets.shape[0]; begin += 9) {
    const [output, target] = tidy(() =>
      [outputs, targets].map(({ values, shape: [, ...row] }) => {
        const width = row[0] ?? 1;
        const flat = tensor(values.slice(begin * width, (begin + 9) * width));
        return reshape(flat, [flat.size / width, ...row]);
      }),
    );
    metric.update(output, target);
    output.dispose();
    target.dispose();
    if (begin === 18) {
      const state = JSON.parse(JSON.stringify(await metric.state()));
      metric.reset();
      metric.loadState(state);
    }
  }
  return metric.compute();
}

describeEachDevice("metrics equal scikit-learn's and SciPy's", () => {
  it("precision, recall and F1 by average, of one class, and of each", async () => {
    await expectNoLeak(async () => {
      for (const [name, Score] of Object.entries({ precision: Precision, recall: Recall, f1: F1Score })) {
        const expected = list(`classes/${name}`);
        const averages: readonly ClassAverage[] = ["micro", "macro", "weighted"];
        for (const [index, average] of averages.entries())
          expect(
            await measure(new Score({ average }), "classes/predictions", "classes/targets"),
            `${name} ${average}`,
          ).toBeCloseTo(expected[index], 6);
        const single = new Score({ positiveClass: 2 });
        expect(await measure(single, "classes/predictions", "classes/targets")).toBeCloseTo(expected[3], 6);
        const each = await single.perClass();
        list(`classes/${name}_each`).forEach((value, label) => {
          expect(each[label]).toBeCloseTo(value, 6);
        });
      }
    });
  });

  it.each(["binary", "ties", "rare"])("ROC AUC and average precision: %s", async (name) => {
    await expectNoLeak(async () => {
      const [auc, precision] = list(`${name}/values`);
      expect(await measure(new RocAuc(), `${name}/scores`, `${name}/targets`)).toBeCloseTo(auc, 6);
      expect(await measure(new AveragePrecision(), `${name}/scores`, `${name}/targets`)).toBeCloseTo(
        precision,
        6,
      );
    });
  });

  it("ROC AUC and average precision of several classes", async () => {
    await expectNoLeak(async () => {
      for (const [index, average] of (["macro", "weighted"] as const).entries()) {
        const auc = await measure(new RocAuc({ average }), "multi/chances", "multi/targets");
        expect(auc).toBeCloseTo(list("multi/auc")[index], 6);
        const precision = await measure(new AveragePrecision({ average }), "multi/chances", "multi/targets");
        expect(precision).toBeCloseTo(list("multi/precision")[index], 6);
      }
    });
  });

  it("scores of labels, each by itself, and all scores as of one class", async () => {
    await expectNoLeak(async () => {
      const averages = ["micro", "macro", "weighted"] as const;
      const of = (metric: Metric) => measure(metric, "labels/scores", "labels/targets");
      for (const [index, average] of averages.entries()) {
        for (const [name, Score] of Object.entries({ precision: Precision, recall: Recall, f1: F1Score })) {
          const metric = new Score({ average, multiLabel: true, threshold: 0.55 });
          expect(await of(metric), `${name} ${average}`).toBeCloseTo(list(`labels/${name}`)[index], 6);
          const each = await metric.perClass();
          list(`labels/${name}_each`).forEach((value, label) => {
            expect(each[label]).toBeCloseTo(value, 6);
          });
        }
        const auc = await of(new RocAuc({ average, multiLabel: true }));
        expect(auc, average).toBeCloseTo(list("labels/auc")[index], 6);
        const precision = await of(new AveragePrecision({ average, multiLabel: true }));
        expect(precision, average).toBeCloseTo(list("labels/precision_mean")[index], 6);
      }
      for (const [name, Score] of Object.entries({ auc: RocAuc, precision_mean: AveragePrecision })) {
        const value = await measure(new Score({ average: "micro" }), "multi/chances", "multi/targets");
        expect(value, name).toBeCloseTo(list(`multi/${name}_micro`)[0], 6);
      }
    });
  });

  it("calibration error and perplexity", async () => {
    await expectNoLeak(async () => {
      const [fifteen, four] = list("multi/calibration");
      const error = new ExpectedCalibrationError();
      expect(await measure(error, "multi/scores", "multi/targets")).toBeCloseTo(fifteen, 5);
      const coarse = new ExpectedCalibrationError({ bins: 4, probabilities: true });
      expect(await measure(coarse, "multi/chances", "multi/targets")).toBeCloseTo(four, 5);
      const [perplexity] = list("multi/perplexity");
      expect(await measure(new Perplexity(), "multi/scores", "multi/targets")).toBeCloseTo(perplexity, 4);
    });
  });

  it("errors and correlations of numbers", async () => {
    await expectNoLeak(async () => {
      const all = [MeanAbsoluteError, MeanSquaredError, RootMeanSquaredError, R2Score];
      for (const [index, Score] of [...all, PearsonCorrelation, SpearmanCorrelation].entries()) {
        const value = await measure(new Score(), "regression/outputs", "regression/targets");
        expect(value, Score.name).toBeCloseTo(list("regression/values")[index], 6);
      }
      const tied = await measure(new SpearmanCorrelation(), "ties/outputs", "ties/truths");
      expect(tied).toBeCloseTo(list("ties/spearman")[0], 6);
    });
  });
});

async function scoreOf(metric: Metric, outputs: Tensor, targets: Tensor): Promise<number> {
  metric.update(outputs, targets);
  outputs.dispose();
  targets.dispose();
  return metric.compute();
}

describe("metrics", () => {
  it("are NaN where they are not defined, and keep scikit-learn's conventions elsewhere", async () => {
    const all = [new RocAuc(), new AveragePrecision(), new ExpectedCalibrationError(), new Perplexity()];
    const numbers = [new MeanAbsoluteError(), new R2Score(), new PearsonCorrelation()];
    for (const metric of [...all, ...numbers, new SpearmanCorrelation(), new Precision(), new Recall()])
      expect(await metric.compute()).toBeNaN();
    const ones = (): Tensor => tensor(Int32Array.of(1, 1));
    expect(await scoreOf(new RocAuc(), tensor([0.1, 0.2]), ones())).toBeNaN();
    expect(await scoreOf(new AveragePrecision(), tensor([0.1, 0.2]), zeros([2], "int32"))).toBeNaN();
    expect(await scoreOf(new R2Score(), tensor([1]), tensor([1]))).toBeNaN();
    expect(await scoreOf(new R2Score(), tensor([2, 2]), tensor([2, 2]))).toBe(1);
    expect(await scoreOf(new R2Score(), tensor([2, 3]), tensor([2, 2]))).toBe(0);
    expect(await scoreOf(new PearsonCorrelation(), tensor([2, 2]), tensor([1, 2]))).toBeNaN();
  });

  it("keep their precision far from 0", async () => {
    const far = tensor([10001, 10002, 10003, 10005]);
    const near = tensor([10001, 10002, 10004, 10004]);
    expect(await scoreOf(new PearsonCorrelation(), far, near)).toBeCloseTo(Math.sqrt(27 / 35), 9);
  });

  it("pass over ignored targets", async () => {
    const scores = tensor([
      [0, 0],
      [9, 0],
    ]);
    const targets = tensor(Int32Array.of(1, -100));
    expect(await scoreOf(new Perplexity(), scores.clone(), targets.clone())).toBeCloseTo(2, 6);
    const error = new ExpectedCalibrationError({ ignoreIndex: -100 });
    expect(await scoreOf(error, scores, targets)).toBeCloseTo(0.5, 6);

    const [labels, resumed] = [0, 1].map(() => new F1Score({ multiLabel: true, ignoreIndex: -100 }));
    const present = tensor(Int32Array.of(1, 0, 1), [1, 3]);
    const partly = tensor(Int32Array.of(1, 0, -100), [1, 3]);
    labels.update(present, partly);
    expect(await labels.perClass()).toEqual([1, 0, 0]);
    resumed.loadState(await labels.state());
    resumed.update(present, present);
    expect(await resumed.perClass()).toEqual([1, 0, 1]);
    dispose([present, partly]);
  });
});

describe("metrics refuse", () => {
  const METRICS: Readonly<Record<string, () => Metric<unknown>>> = {
    Accuracy: () => new Accuracy(),
    TopKAccuracy: () => new TopKAccuracy(1),
    ConfusionMatrix: () => new ConfusionMatrix(),
    F1Score: () => new F1Score(),
    Precision: () => new Precision(),
    Recall: () => new Recall(),
    RocAuc: () => new RocAuc(),
    AveragePrecision: () => new AveragePrecision(),
    ExpectedCalibrationError: () => new ExpectedCalibrationError(),
    Perplexity: () => new Perplexity(),
    MeanAbsoluteError: () => new MeanAbsoluteError(),
    MeanSquaredError: () => new MeanSquaredError(),
    RootMeanSquaredError: () => new RootMeanSquaredError(),
    R2Score: () => new R2Score(),
    PearsonCorrelation: () => new PearsonCorrelation(),
    SpearmanCorrelation: () => new SpearmanCorrelation(),
  };

  it.each(Object.keys(METRICS))(
    "%s: a target that is missing, other shapes, junk as a state",
    async (name) => {
      await expectNoLeak(async () => {
        const metric = METRICS[name]();
        const output = zeros([2, 3]);
        const none = undefined as unknown as Tensor;
        expect(() => metric.update(output, none)).toThrow(/expected a tensor as target, got undefined/);
        expect(() => metric.update(none, output)).toThrow(/expected a tensor as output, got undefined/);
        expect(() => metric.update(output, [1, 2] as unknown as Tensor)).toThrow(/target, got an array/);
        const other = zeros([5], "int32");
        expect(() => metric.update(output, other)).toThrow(/expected|shape/);
        for (const junk of [undefined, null, {}, 3, { counts: 3 }])
          expect(() => metric.loadState(junk)).toThrow(/expected .*something else; pass what state\(\) gave/);
        for (const each of [output, other]) each.dispose();
      });
    },
  );

  it("values that make no sense", async () => {
    const binary = (scores: number[], targets: number[]): Promise<number> =>
      scoreOf(new RocAuc(), tensor(scores), tensor(Int32Array.from(targets)));
    await expect(binary([0.5, Number.NaN], [0, 1])).rejects.toThrow(/scores that are numbers, got NaN/);
    await expect(binary([0.5, 0.1], [0, 2])).rejects.toThrow(/targets in \[0, 2\), got 2/);
    const calibration = new ExpectedCalibrationError({ probabilities: true });
    await expect(scoreOf(calibration, tensor([[3, 1]]), tensor(Int32Array.of(0)))).rejects.toThrow(
      /probabilities in \[0, 1\], got 3/,
    );
    await expect(scoreOf(new SpearmanCorrelation(), tensor([Number.NaN]), tensor([1]))).rejects.toThrow(
      /got NaN; it has no rank/,
    );
  });

  it("options out of range and those that do not exist", () => {
    expect(() => new Precision({ average: "mean" as never })).toThrow(/Precision: .* got mean/);
    expect(() => new Recall({ positiveClass: -1 })).toThrow(/positiveClass of at least 0/);
    expect(() => new F1Score({ positiveClass: 1, average: "micro" })).toThrow(/got both/);
    expect(() => new RocAuc({ average: "samples" as never })).toThrow(/weighted or micro, got samples/);
    expect(() => new RocAuc({ multiLabel: 1 as never })).toThrow(/multiLabel true or false, got 1/);
    expect(() => new F1Score({ multiLabel: true, numClasses: 2 })).toThrow(/numClasses, got both/);
    const [rows, other] = [zeros([2, 3]), zeros([2, 2], "int32")];
    const labels = new Recall({ multiLabel: true });
    expect(() => labels.update(rows, rows)).toThrow(/expected a threshold for scores of labels/);
    expect(() => new F1Score({ multiLabel: true, threshold: 0 }).update(rows, other)).toThrow(
      /\[..., labels\]/,
    );
    expect(() => new RocAuc({ multiLabel: true }).update(rows, other)).toThrow(
      /of one shape with multiLabel/,
    );
    expect(() => new RocAuc({ average: "macro" }).update(rows, rows)).toThrow(/multiLabel for an average/);
    for (const each of [rows, other]) each.dispose();
    expect(() => new ExpectedCalibrationError({ bins: 0 })).toThrow(/bins of at least 1, got 0/);
    expect(() => new Perplexity({ ignoreIndex: 0.5 })).toThrow(/integer ignoreIndex, got 0.5/);
    const junk = { multiClass: "ovr" } as object;
    const classes = [Accuracy, ConfusionMatrix, F1Score, Precision, Recall, RocAuc, AveragePrecision];
    for (const Score of [...classes, ExpectedCalibrationError, Perplexity])
      expect(() => new Score(junk)).toThrow(/got one named multiClass/);
  });
});
