import { InputError } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import { type ConfusionMatrixOptions, ConfusionMetric } from "./confusion-matrix.js";

/** How the scores of the classes become one number: pooled counts, plain mean, or mean weighted by the class's share. */
export type ClassAverage = "micro" | "macro" | "weighted";

/** Options of {@link Precision}, {@link Recall} and {@link F1Score}. */
export interface ClassScoreOptions extends ConfusionMatrixOptions {
  /** Default "macro". */
  readonly average?: ClassAverage;
  /** The score of this class alone, as scikit-learn's `average="binary"`; not together with `average`. */
  readonly positiveClass?: number;
}

/** How often a class was predicted rightly, predicted, and present. */
interface ClassCounts {
  readonly hits: number;
  readonly predicted: number;
  readonly actual: number;
}

/**
 * A score of each class and its average over the classes, as scikit-learn's with `zero_division=0`. Without
 * `numClasses` the average is over the classes that occur as target or prediction, with it over all.
 */
abstract class ClassScore extends ConfusionMetric<number> {
  readonly #average: ClassAverage;
  readonly #positiveClass: number | undefined;
  readonly #allClasses: boolean;

  constructor(options: ClassScoreOptions = {}) {
    assertOptionNames(new.target.name, options, [
      "average",
      "positiveClass",
      "numClasses",
      "threshold",
      "ignoreIndex",
    ]);
    const { average, positiveClass, ...others } = options;
    super(others);
    if (average !== undefined && average !== "micro" && average !== "macro" && average !== "weighted")
      throw new InputError(
        `${new.target.name}: expected average micro, macro or weighted, got ${String(average)}`,
      );
    if (positiveClass !== undefined && (!Number.isInteger(positiveClass) || positiveClass < 0))
      throw new InputError(
        `${new.target.name}: expected an integer positiveClass of at least 0, got ${positiveClass}`,
      );
    if (average !== undefined && positiveClass !== undefined)
      throw new InputError(`${new.target.name}: expected average or positiveClass, got both`);
    this.#average = average ?? "macro";
    this.#positiveClass = positiveClass;
    this.#allClasses = options.numClasses !== undefined;
  }

  /** The score of one class, or of all counts pooled. */
  protected abstract score(counts: ClassCounts): number;

  /** The score of each class from 0 on; 0 where it is not defined. */
  async perClass(): Promise<number[]> {
    await this.settle();
    return this.#classes().map((counts) => this.score(counts));
  }

  #classes(): ClassCounts[] {
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
    const positive = this.#positiveClass;
    if (positive !== undefined) return this.score(classes[positive] ?? { hits: 0, predicted: 0, actual: 0 });
    if (this.#average === "micro") {
      const hits = classes.reduce((sum, each) => sum + each.hits, 0);
      return this.score({ hits, predicted: total, actual: total });
    }
    const counted = this.#allClasses
      ? classes
      : classes.filter(({ predicted, actual }) => predicted + actual > 0);
    const weightOf = ({ actual }: ClassCounts): number =>
      this.#average === "weighted" ? actual / total : 1 / counted.length;
    return counted.reduce((sum, counts) => sum + weightOf(counts) * this.score(counts), 0);
  }
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

/**
 * F1 of each class, `2·TP / (2·TP + FP + FN)`, and their average, as scikit-learn's `f1_score`.
 * @example
 * const metric = new F1Score({ average: "weighted" });
 */
export class F1Score extends ClassScore {
  protected override score({ hits, predicted, actual }: ClassCounts): number {
    return share(2 * hits, predicted + actual);
  }
}

/** Share of the predictions of a class that are right, `TP / (TP + FP)`, and its average, as scikit-learn's `precision_score`. */
export class Precision extends ClassScore {
  protected override score({ hits, predicted }: ClassCounts): number {
    return share(hits, predicted);
  }
}

/** Share of a class that is found, `TP / (TP + FN)`, and its average, as scikit-learn's `recall_score`. */
export class Recall extends ClassScore {
  protected override score({ hits, actual }: ClassCounts): number {
    return share(hits, actual);
  }
}
