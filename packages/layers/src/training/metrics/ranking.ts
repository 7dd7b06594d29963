import { InputError, ShapeError, type Tensor } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import { ValueReader } from "../value-reader.js";
import { alias, assertTensors, isSameButForOnes, type Metric } from "./metric.js";

/** Options of {@link RocAuc} and {@link AveragePrecision}. */
export interface RankingOptions {
  /** How the scores of several classes become one number. Default "macro", over the classes that occur. */
  readonly average?: "macro" | "weighted";
}

/** What was seen so far, as plain JSON. */
interface RankingState {
  /** 1 when there is one score an element. */
  readonly classes: number;
  readonly scores: readonly number[];
  readonly targets: readonly number[];
}

/** A number that depends on the order of all scores: it keeps them all, on the host. */
abstract class RankingMetric implements Metric<number> {
  readonly #average: "macro" | "weighted";
  readonly #reader = new ValueReader();
  #classes = 0;
  /** `[elements · classes]` */
  #scores: number[] = [];
  #targets: number[] = [];

  constructor(options: RankingOptions = {}) {
    assertOptionNames(new.target.name, options, ["average"]);
    const { average = "macro" } = options;
    if (average !== "macro" && average !== "weighted")
      throw new InputError(`${new.target.name}: expected average macro or weighted, got ${String(average)}`);
    this.#average = average;
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
   * @param output `[...]` scores of the positive class, or `[..., classes]` scores, in any unit.
   * @param target `[...]` 0 or 1 of any dtype, or int32 classes.
   * @throws ShapeError when the shapes do not fit, InputError for what is no tensor of scores.
   */
  update(output: Tensor, target: Tensor): void {
    assertTensors(this.kind, output, target);
    if (output.dtype !== "float32")
      throw new InputError(`${this.kind}: expected float32 scores, got ${output.dtype}; cast them first`);
    const isBinary = isSameButForOnes(output.shape, target.shape);
    if (!isBinary && !isSameButForOnes(output.shape.slice(0, -1), target.shape))
      throw new ShapeError(
        `${this.kind}: expected scores [...] or [..., classes] for targets of shape [${target.shape.join(", ")}], got [${output.shape.join(", ")}]`,
      );
    const classes = isBinary ? 1 : output.shape[output.shape.length - 1];
    this.#reader.push([alias(output), alias(target)], (scores, targets) => {
      this.#count(classes, scores, targets);
    });
  }

  #count(classes: number, scores: ArrayLike<number>, targets: ArrayLike<number>): void {
    if (this.#classes !== 0 && this.#classes !== classes)
      throw new InputError(`${this.kind}: expected scores of ${this.#classes} classes, got ${classes}`);
    this.#classes = classes;
    for (let index = 0; index < targets.length; index++) {
      const target = targets[index];
      if (!Number.isInteger(target) || target < 0 || target >= Math.max(classes, 2))
        throw new InputError(`${this.kind}: expected targets in [0, ${Math.max(classes, 2)}), got ${target}`);
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
    if (classes === 1) return this.score(this.#ranking(0, 1));
    let [sum, total] = [0, 0];
    for (let index = 0; index < classes; index++) {
      const ranking = this.#ranking(index, index);
      if (ranking.positives === 0) continue;
      const weight = this.#average === "weighted" ? ranking.positives : 1;
      sum += weight * this.score(ranking);
      total += weight;
    }
    return sum / total;
  }

  #ranking(column: number, positiveClass: number): Ranking {
    const classes = this.#classes;
    const scores = this.#targets.map((_, row) => this.#scores[row * classes + column]);
    const order = scores.map((_, row) => row).sort((a, b) => scores[b] - scores[a] || a - b);
    const groups: ScoreGroup[] = [];
    let positives = 0;
    order.forEach((row, position) => {
      if (position === 0 || scores[row] !== scores[order[position - 1]])
        groups.push({ positives: 0, size: 0 });
      const group = groups[groups.length - 1];
      group.size++;
      if (this.#targets[row] !== positiveClass) return;
      group.positives++;
      positives++;
    });
    return { groups, positives, size: order.length };
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
      scores.length === targets.length * (classes as number);
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
