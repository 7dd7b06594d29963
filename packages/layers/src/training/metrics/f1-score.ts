import { InputError } from "@ai/tensor";
import { type ConfusionMatrixOptions, ConfusionMetric } from "./confusion-matrix.js";

/** How the classes' F1 become one number: pooled counts, plain mean, or mean weighted by the class's share. */
export type F1Average = "micro" | "macro" | "weighted";

/** Options of {@link F1Score}. */
export interface F1ScoreOptions extends ConfusionMatrixOptions {
  /** Default "macro". */
  readonly average?: F1Average;
}

/** F1 from counts; 0 for a class that was neither present nor predicted, as scikit-learn's `zero_division=0`. */
function f1(truePositives: number, predicted: number, actual: number): number {
  return predicted + actual === 0 ? 0 : (2 * truePositives) / (predicted + actual);
}

/**
 * F1 of each class, `2·TP / (2·TP + FP + FN)`, and their average, as scikit-learn's `f1_score`.
 * Without `numClasses` the average is over the classes that occur as target or prediction, with it over all.
 * @example
 * const metric = new F1Score({ average: "weighted" });
 */
export class F1Score extends ConfusionMetric<number> {
  readonly #average: F1Average;
  readonly #allClasses: boolean;

  /** @throws InputError for an average that is not one. */
  constructor({ average = "macro", ...options }: F1ScoreOptions = {}) {
    super(options);
    if (average !== "micro" && average !== "macro" && average !== "weighted")
      throw new InputError(`F1Score: expected average micro, macro or weighted, got ${String(average)}`);
    this.#average = average;
    this.#allClasses = options.numClasses !== undefined;
  }

  /** F1 of each class from 0 on; 0 where a class neither occurs nor is predicted. */
  async perClass(): Promise<number[]> {
    await this.settle();
    return this.#classes().map(({ hits, predicted, actual }) => f1(hits, predicted, actual));
  }

  #classes(): { hits: number; predicted: number; actual: number }[] {
    return this.counts.map((row, index) => ({
      hits: row[index],
      predicted: this.counts.reduce((total, other) => total + other[index], 0),
      actual: row.reduce((total, count) => total + count, 0),
    }));
  }

  /** In [0, 1]; NaN before the first element. */
  override current(): number {
    const classes = this.#classes();
    const total = classes.reduce((sum, { actual }) => sum + actual, 0);
    if (total === 0) return Number.NaN;
    if (this.#average === "micro") return classes.reduce((sum, { hits }) => sum + hits, 0) / total;
    const counted = this.#allClasses
      ? classes
      : classes.filter(({ predicted, actual }) => predicted + actual > 0);
    const weights = counted.map(({ actual }) =>
      this.#average === "weighted" ? actual / total : 1 / counted.length,
    );
    return counted.reduce(
      (sum, { hits, predicted, actual }, index) => sum + weights[index] * f1(hits, predicted, actual),
      0,
    );
  }
}
