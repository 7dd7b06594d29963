import { InputError, ShapeError, type Tensor } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import { ValueReader } from "../value-reader.js";
import { alias, assertTensors, isSameButForOnes, type Metric } from "./metric.js";

/** Options of {@link RocAuc} and {@link AveragePrecision}. */
export interface RankingOptions {
  /**
   * How the scores of several classes or labels become one number: "macro" (default) and "weighted" over those that
   * occur, "micro" ranks all scores together.
   */
  readonly average?: RankingAverage;
  /** Outputs and targets are `[..., labels]`, each label present (1) or not (0) by itself. Default false. */
  readonly multiLabel?: boolean;
}

/** Plain mean over the classes, mean weighted by the class's share, or all scores as of one class. */
export type RankingAverage = "macro" | "weighted" | "micro";

/** What was seen so far, as plain JSON. */
interface RankingState {
  /** 1 when there is one score an element. */
  readonly classes: number;
  readonly scores: readonly number[];
  readonly targets: readonly number[];
}

/** A number that depends on the order of all scores: it keeps them all, on the host. */
abstract class RankingMetric implements Metric<number> {
  readonly #average: RankingAverage;
  readonly #multiLabel: boolean;
  readonly #averages: boolean;
  readonly #reader = new ValueReader();
  #classes = 0;
  /** `[elements · classes]` */
  #scores: number[] = [];
  #targets: number[] = [];

  constructor(options: RankingOptions = {}) {
    assertOptionNames(new.target.name, options, ["average", "multiLabel?"]);
    const { average = "macro", multiLabel = false } = options;
    if (average !== "macro" && average !== "weighted" && average !== "micro")
      throw new InputError(
        `${new.target.name}: expected average macro, weighted or micro, got ${String(average)}`,
      );
    if (typeof multiLabel !== "boolean")
      throw new InputError(
        `${new.target.name}: expected multiLabel true or false, got ${String(multiLabel)}`,
      );
    this.#average = average;
    this.#multiLabel = multiLabel;
    this.#averages = options.average !== undefined;
  }

  /** The value for one class. @param positives By falling score, with the scores. */
  protected abstract score(ranking: Ranking): number;
  /** The metric's name in errors; class names do not survive bundlers. */
  protected abstract readonly kind: string;

  reset(): void {
    this.#classes = 0;
    this.#scores = [];
    this.#targets = [];
  }

  /**
   * @param output `[...]` scores of the positive class, or `[..., classes]` or `[..., labels]` scores, in any unit.
   * @param target `[...]` 0 or 1 of any dtype, int32 classes, or `[..., labels]` of 0 and 1 with `multiLabel`.
   * @throws ShapeError when the shapes do not fit, InputError for what is no tensor of scores, or an `average` where all
   * scores are those of one class.
   */
  update(output: Tensor, target: Tensor): void {
    assertTensors(this.kind, output, target);
    if (output.dtype !== "float32")
      throw new InputError(`${this.kind}: expected float32 scores, got ${output.dtype}; cast them first`);
    if (this.#multiLabel) {
      this.#updateLabels(output, target);
      return;
    }
    const isBinary = isSameButForOnes(output.shape, target.shape);
    if (!isBinary && !isSameButForOnes(output.shape.slice(0, -1), target.shape))
      throw new ShapeError(
        `${this.kind}: expected scores [...] or [..., classes] for targets of shape [${target.shape.join(", ")}], got [${output.shape.join(", ")}]`,
      );
    if (isBinary && this.#averages && target.shape.filter((length) => length !== 1).length > 1)
      throw new InputError(
        `${this.kind}: expected multiLabel for an average over the last axis of targets [${target.shape.join(", ")}], got none; leave out average to rank all scores together`,
      );
    const classes = isBinary ? 1 : output.shape[output.shape.length - 1];
    this.#reader.push([alias(output), alias(target)], (scores, targets) => {
      this.#count(classes, scores, targets);
    });
  }

  #updateLabels(output: Tensor, target: Tensor): void {
    const labels = target.shape.at(-1) ?? 0;
    if (labels === 0 || output.shape.join() !== target.shape.join())
      throw new ShapeError(
        `${this.kind}: expected outputs and targets [..., labels] of one shape with multiLabel, got [${output.shape.join(", ")}] and [${target.shape.join(", ")}]`,
      );
    this.#reader.push([alias(output), alias(target)], (scores, targets) => {
      this.#count(labels, scores, targets);
    });
  }

  #count(classes: number, scores: ArrayLike<number>, targets: ArrayLike<number>): void {
    if (this.#classes !== 0 && this.#classes !== classes)
      throw new InputError(`${this.kind}: expected scores of ${this.#classes} classes, got ${classes}`);
    this.#classes = classes;
    const end = this.#multiLabel ? 2 : Math.max(classes, 2);
    for (let index = 0; index < targets.length; index++) {
      const target = targets[index];
      if (!Number.isInteger(target) || target < 0 || target >= end)
        throw new InputError(`${this.kind}: expected targets in [0, ${end}), got ${target}`);
      this.#targets.push(target);
    }
    for (let index = 0; index < scores.length; index++) {
      if (Number.isNaN(scores[index]))
        throw new InputError(`${this.kind}: expected scores that are numbers, got NaN`);
      this.#scores.push(scores[index]);
    }
  }

  /** In [0, 1]; NaN where it is not defined: before the first element, or without one of both kinds. */
  current(): number {
    const classes = this.#classes;
    if (classes === 0) return Number.NaN;
    if (classes === 1 || this.#average === "micro") return this.score(this.#ranking());
    let [sum, total] = [0, 0];
    for (let index = 0; index < classes; index++) {
      const ranking = this.#ranking(index);
      if (ranking.positives === 0) continue;
      const weight = this.#average === "weighted" ? ranking.positives : 1;
      sum += weight * this.score(ranking);
      total += weight;
    }
    return sum / total;
  }

  /** @param column Of this class alone; all without. */
  #ranking(column?: number): Ranking {
    const [classes, scores] = [this.#classes, this.#scores];
    const rows = scores.length / classes;
    const order =
      column === undefined
        ? scores.map((_, index) => index)
        : Array.from({ length: rows }, (_, row) => row * classes + column);
    order.sort((a, b) => scores[b] - scores[a] || a - b);
    const groups: ScoreGroup[] = [];
    let positives = 0;
    order.forEach((index, position) => {
      if (position === 0 || scores[index] !== scores[order[position - 1]])
        groups.push({ positives: 0, size: 0 });
      const group = groups[groups.length - 1];
      group.size++;
      if (!this.#isPositive(index)) return;
      group.positives++;
      positives++;
    });
    return { groups, positives, size: order.length };
  }

  /** Whether the class or label of the score at this position is present. */
  #isPositive(index: number): boolean {
    const classes = this.#classes;
    if (this.#multiLabel || classes === 1) return this.#targets[index] === 1;
    return this.#targets[Math.floor(index / classes)] === index % classes;
  }

  async compute(): Promise<number> {
    await this.#reader.drain();
    return this.current();
  }

  async state(): Promise<RankingState> {
    await this.#reader.drain();
    return { classes: this.#classes, scores: [...this.#scores], targets: [...this.#targets] };
  }

  loadState(state: unknown): void {
    const { classes, scores, targets } = (state ?? {}) as Partial<RankingState>;
    const fits =
      Number.isSafeInteger(classes) &&
      Array.isArray(scores) &&
      Array.isArray(targets) &&
      scores.length === targets.length * (this.#multiLabel ? 1 : (classes as number));
    if (!fits)
      throw new InputError(
        `${this.kind}.loadState: expected classes, scores and targets, got something else; pass what state() gave`,
      );
    this.#classes = classes as number;
    this.#scores = [...scores];
    this.#targets = [...targets];
  }
}

/** Elements of one score. */
interface ScoreGroup {
  positives: number;
  size: number;
}

/** Elements by falling score; those of one score together. */
interface Ranking {
  readonly groups: readonly ScoreGroup[];
  readonly positives: number;
  readonly size: number;
}

/**
 * Area under the receiver operating characteristic: how probable it is that a positive element scores higher than a
 * negative one, half for equal scores. As scikit-learn's `roc_auc_score`; several classes one against the rest.
 * @see Fawcett (2006), "An introduction to ROC analysis", https://doi.org/10.1016/j.patrec.2005.10.010
 */
export class RocAuc extends RankingMetric {
  protected override readonly kind = "RocAuc";

  protected override score({ groups, positives, size }: Ranking): number {
    let [seen, area] = [0, 0];
    for (const group of groups) {
      const negatives = group.size - group.positives;
      area += negatives * (seen + group.positives / 2);
      seen += group.positives;
    }
    return area / (positives * (size - positives));
  }
}

/**
 * Mean of the precision over the recall, `Σ (Rₙ − Rₙ₋₁) · Pₙ` over falling thresholds, not interpolated. As
 * scikit-learn's `average_precision_score`; several classes one against the rest.
 */
export class AveragePrecision extends RankingMetric {
  protected override readonly kind = "AveragePrecision";

  protected override score({ groups, positives }: Ranking): number {
    let [hits, predicted, sum] = [0, 0, 0];
    for (const group of groups) {
      hits += group.positives;
      predicted += group.size;
      sum += group.positives * (hits / predicted);
    }
    return sum / positives;
  }
}
