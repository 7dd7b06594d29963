import { tensor, zeros } from "@ai/tensor";
import { describeEachDevice, expectNoLeak, loadFixture } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import {
  Accuracy,
  type ClassAverage,
  ConfusionMatrix,
  ExpectedCalibrationError,
  F1Score,
  type Metric,
  Perplexity,
  TopKAccuracy,
} from "./index.js";

const fixture = await loadFixture(new URL("../../../fixtures/metrics.safetensors", import.meta.url));
const list = (name: string): number[] => [...fixture.host(name).values];

/** Feeds a case in batches of 7, and through a saved state in between. */
async function stream(metric: Metric<unknown>, name: string): Promise<void> {
  const predictions = list(`${name}/predictions`);
  const targets = list(`${name}/targets`);
  metric.reset();
  for (let begin = 0; begin < targets.length; begin += 7) {
    const output = tensor(Int32Array.from(predictions.slice(begin, begin + 7)));
    const target = tensor(Int32Array.from(targets.slice(begin, begin + 7)));
    metric.update(output, target);
    output.dispose();
    target.dispose();
    if (begin === 14) {
      const state = JSON.parse(JSON.stringify(await metric.state()));
      metric.reset();
      metric.loadState(state);
    }
  }
}

describeEachDevice("metrics equal scikit-learn's", () => {
  it.each(["plain", "gaps", "labels"])("%s", async (name) => {
    await expectNoLeak(async () => {
      const [accuracy, ...averages] = list(`${name}/scores`);
      const numClasses = name === "labels" ? { numClasses: 7 } : {};
      const measured = new Accuracy();
      await stream(measured, name);
      expect(await measured.compute()).toBeCloseTo(accuracy, 6);
      const confusion = new ConfusionMatrix(numClasses);
      await stream(confusion, name);
      expect((await confusion.compute()).flat()).toEqual(list(`${name}/confusion`));
      for (const [index, average] of (["micro", "macro", "weighted"] as ClassAverage[]).entries()) {
        const f1 = new F1Score({ average, ...numClasses });
        await stream(f1, name);
        expect(await f1.compute(), average).toBeCloseTo(averages[index], 6);
        const perClass = await f1.perClass();
        list(`${name}/per_class`).forEach((value, label) => {
          expect(perClass[label]).toBeCloseTo(value, 6);
        });
      }
    });
  });

  it("takes scores: the highest is the class, the k highest for top-k", async () => {
    await expectNoLeak(async () => {
      const scores = fixture.tensor("top/scores");
      const targets = fixture.tensor("top/targets");
      const expected = list("top/accuracies");
      for (const k of [1, 2, 3]) {
        const metric = new TopKAccuracy(k);
        metric.update(scores, targets);
        expect(await metric.compute()).toBeCloseTo(expected[k - 1], 6);
      }
      const metric = new Accuracy();
      metric.update(scores, targets);
      expect(await metric.compute()).toBeCloseTo(expected[0], 6);
      scores.dispose();
      targets.dispose();
    });
  });

  it("takes single scores with a threshold, and passes over ignored targets", async () => {
    await expectNoLeak(async () => {
      const scores = tensor([0.2, 0.7, 0.9, 0.1]);
      const truth = tensor([0, 1, 0, 1]);
      const binary = new F1Score({ threshold: 0.5, average: "micro" });
      binary.update(scores, truth);
      expect(await binary.compute()).toBe(0.5);
      const predicted = tensor(Int32Array.of(3, 2, 1));
      const target = tensor(Int32Array.of(3, -100, 2));
      const metric = new Accuracy({ ignoreIndex: -100 });
      metric.update(predicted, target);
      expect(await metric.compute()).toBe(0.5);
      for (const each of [scores, truth, predicted, target]) each.dispose();
    });
  });
});

describe("metrics refuse", () => {
  it("shapes, classes and options that do not fit", async () => {
    await expectNoLeak(async () => {
      const two = tensor(Int32Array.of(0, 5));
      const three = tensor(Int32Array.of(0, 1, 1));
      const floats = tensor([0.5, 0.5]);
      expect(() => new Accuracy().update(two, three)).toThrow(
        /one target for each prediction, got predictions of shape \[2\] and targets of shape \[3\]/,
      );
      const [scores, swapped] = [zeros([2, 3, 4]), zeros([3, 2], "int32")];
      expect(() => new Accuracy().update(scores, swapped)).toThrow(/predictions of shape \[2, 3\]/);
      scores.dispose();
      swapped.dispose();
      const [logits, labels] = [tensor([[5], [-5]]), tensor([[1], [0]], undefined, "int32")];
      for (const metric of [new Accuracy(), new F1Score(), new ConfusionMatrix()])
        expect(() => metric.update(logits, labels)).toThrow(
          /got \[2, 1\], one score an element; pass \{ threshold: 0 \}/,
        );
      const binary = new Accuracy({ threshold: 0 });
      binary.update(logits, labels);
      expect(await binary.compute()).toBe(1);
      const row = tensor(Int32Array.of(1, 0));
      expect(() => new TopKAccuracy(1).update(logits, row)).toThrow(/one score an element; use Accuracy/);
      for (const metric of [new Perplexity(), new ExpectedCalibrationError()])
        expect(() => metric.update(logits, row)).toThrow(/two classes or more, got \[2, 1\]/);
      for (const each of [logits, labels, row]) each.dispose();
      expect(() => new TopKAccuracy(0)).toThrow(/k of at least 1/);
      expect(() => new ConfusionMatrix({ numClasses: 0 })).toThrow(/numClasses of at least 1/);
      expect(() => new F1Score({ average: "mean" as ClassAverage })).toThrow(/micro, macro or weighted/);
      expect(() => new Accuracy().loadState({})).toThrow(/expected right and total/);
      expect(() => new TopKAccuracy(1).update(floats, two)).toThrow(/targets of shape \[\]/);
      const matrix = new ConfusionMatrix({ numClasses: 3 });
      matrix.update(two, two);
      await expect(matrix.compute()).rejects.toThrow(/classes below 3, got 5/);
      for (const each of [two, three, floats]) each.dispose();
    });
  });

  it("to invent a value before the first element", async () => {
    expect(await new Accuracy().compute()).toBeNaN();
    expect(await new F1Score().compute()).toBeNaN();
  });
});
