import { InputError, type Tensor } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import { type ConfusionMatrixOptions, ConfusionMetric } from "./confusion-matrix.js";
import { assertTensors } from "./metric.js";

/** How the scores of the classes become one number: pooled counts, plain mean, or mean weighted by the class's share. */
export type ClassAverage = "micro" | "macro" | "weighted";

/** Options of {@link Precision}, {@link Recall} and {@link F1Score}. */
export interface ClassScoreOptions extends ConfusionMatrixOptions {
  /** Default "macro". */
  readonly average?: ClassAverage;
  /** The score of this class alone, as scikit-learn's `average="binary"`; not together with `average`. */
  readonly positiveClass?: number;
  /**
   * Outputs and targets are `[..., labels]`, each label present (1) or not (0) by itself, and the scores are those of the
   * labels; with `threshold` for scores. Not together with `positiveClass` or `numClasses`. Default false.
   */
  readonly multiLabel?: boolean;
}

/** How often a class was predicted rightly, predicted, and present. */
interface ClassCounts {
  readonly hits: number;
  readonly predicted: number;
  readonly actual: number;
}

/**
 * A score of each class and its average over the classes, as scikit-learn's with `zero_division=0`. Without
 * `numClasses` the average is over the classes that occur as target or prediction, with it over all, as over all labels
 * with `multiLabel`.
 */
abstract class ClassScore extends ConfusionMetric<number> {
  readonly #average: ClassAverage;
  readonly #positiveClass: number | undefined;
  readonly #allClasses: boolean;
  readonly #multiLabel: boolean;
  readonly #hasThreshold: boolean;
  /** With `multiLabel`: how often each label was predicted rightly, predicted, and present. */
  #labels: [hits: number, predicted: number, actual: number][] = [];
  #elements = 0;
  /** Labels of the batches so far; 0 before the first. */
  #width = 0;

  constructor(options: ClassScoreOptions = {}) {
    assertOptionNames(new.target.name, options, [
      "average",
      "positiveClass",
      "multiLabel?",
      "numClasses",
      "threshold",
      "ignoreIndex",
    ]);
    const { average, positiveClass, multiLabel = false, ...others } = options;
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
    if (typeof multiLabel !== "boolean")
      throw new InputError(
        `${new.target.name}: expected multiLabel true or false, got ${String(multiLabel)}`,
      );
    const classOption = (["positiveClass", "numClasses"] as const).find(
      (each) => options[each] !== undefined,
    );
    if (multiLabel && classOption !== undefined)
      throw new InputError(`${new.target.name}: expected multiLabel or ${classOption}, got both`);
    this.#multiLabel = multiLabel;
    this.#hasThreshold = options.threshold !== undefined;
    this.#average = average ?? "macro";
    this.#positiveClass = positiveClass;
    this.#allClasses = multiLabel || options.numClasses !== undefined;
  }

  override reset(): void {
    super.reset();
    this.#labels = [];
    this.#elements = 0;
    this.#width = 0;
  }

  /**
   * @param output `[..., classes]` float32 scores, `[...]` float32 scores with `threshold`, or `[...]` int32 classes; with
   * `multiLabel` `[..., labels]`. @param target `[...]` true classes, int32, or `[..., labels]` of 0 and 1.
   * @throws ShapeError when the shapes do not fit, InputError for what is no tensor, scores without a threshold that need
   * one, or another number of labels than before.
   */
  override update(output: Tensor, target: Tensor): void {
    if (this.#multiLabel) {
      assertTensors("metric", output, target);
      if (output.dtype === "float32" && !this.#hasThreshold)
        throw new InputError(
          "metric: expected a threshold for scores of labels, got none; pass { threshold: 0 } for logits or { threshold: 0.5 } for probabilities",
        );
      const labels = target.shape.at(-1) ?? 0;
      if (labels === 0 || output.shape.at(-1) !== labels)
        throw new InputError(
          `metric: expected outputs and targets [..., labels] with multiLabel, got [${output.shape.join(", ")}] and [${target.shape.join(", ")}]`,
        );
      if (this.#width !== 0 && this.#width !== labels)
        throw new InputError(`metric: expected ${this.#width} labels as before, got ${labels}`);
      this.#width = labels;
    }
    super.update(output, target);
  }

  protected override count(predicted: number, target: number, hit: boolean, column: number): void {
    if (!this.#multiLabel) {
      super.count(predicted, target, hit, column);
      return;
    }
    for (const value of [predicted, target])
      if (value !== 0 && value !== 1)
        throw new InputError(`metric: expected labels that are 0 or 1, got ${value}`);
    // also labels of which every target is ignored
    while (this.#labels.length < Math.max(this.#width, column + 1)) this.#labels.push([0, 0, 0]);
    const label = this.#labels[column];
    label[0] += predicted * target;
    label[1] += predicted;
    label[2] += target;
    this.#elements++;
  }

  override async state(): Promise<unknown> {
    if (!this.#multiLabel) return super.state();
    await this.settle();
    return { elements: this.#elements, labels: this.#labels.map((label) => [...label]) };
  }

  override loadState(state: unknown): void {
    if (!this.#multiLabel) {
      super.loadState(state);
      return;
    }
    const { elements, labels } = (state ?? {}) as { elements?: number; labels?: number[][] };
    const isLabel = (label: unknown): boolean =>
      Array.isArray(label) && label.length === 3 && label.every(Number.isSafeInteger);
    if (!Number.isSafeInteger(elements) || !Array.isArray(labels) || !labels.every(isLabel))
      throw new InputError(
        "metric.loadState: expected elements and labels, got something else; pass what state() gave",
      );
    this.#elements = elements as number;
    this.#width = labels.length;
    this.#labels = labels.map(([hits, predicted, actual]) => [hits, predicted, actual]);
  }

  /** The score of one class, or of all counts pooled. */
  protected abstract score(counts: ClassCounts): number;

  /** The score of each class from 0 on, or of each label; 0 where it is not defined. */
  async perClass(): Promise<number[]> {
    await this.settle();
    return this.#classes().map((counts) => this.score(counts));
  }

  #classes(): ClassCounts[] {
    if (this.#multiLabel)
      return this.#labels.map(([hits, predicted, actual]) => ({ hits, predicted, actual }));
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
    if ((this.#multiLabel ? this.#elements : total) === 0) return Number.NaN;
    const positive = this.#positiveClass;
    if (positive !== undefined) return this.score(classes[positive] ?? { hits: 0, predicted: 0, actual: 0 });
    if (this.#average === "micro") {
      const hits = classes.reduce((sum, each) => sum + each.hits, 0);
      // one class is predicted where one is present; of labels any number
      const predicted = classes.reduce((sum, each) => sum + each.predicted, 0);
      return this.score({ hits, predicted, actual: total });
    }
    const counted = this.#allClasses
      ? classes
      : classes.filter(({ predicted, actual }) => predicted + actual > 0);
    const weightOf = ({ actual }: ClassCounts): number =>
      this.#average === "weighted" ? share(actual, total) : 1 / counted.length;
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
