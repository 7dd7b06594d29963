import { InputError, ShapeError, type Tensor } from "@ai/tensor";
import { ValueReader } from "../value-reader.js";
import { alias, assertTensors, isSameButForOnes, type Metric } from "./metric.js";

/** Means, sums of squares and of products about the means, over all elements so far. */
interface Moments {
  readonly count: number;
  readonly meanOutput: number;
  readonly meanTarget: number;
  /** `Σ (x − x̄)²` */
  readonly spreadOutput: number;
  /** `Σ (y − ȳ)²` */
  readonly spreadTarget: number;
  /** `Σ (x − x̄)(y − ȳ)` */
  readonly coSpread: number;
  /** `Σ (x − y)²` */
  readonly squaredError: number;
  /** `Σ |x − y|` */
  readonly absoluteError: number;
}

const NOTHING: Moments = {
  count: 0,
  meanOutput: 0,
  meanTarget: 0,
  spreadOutput: 0,
  spreadTarget: 0,
  coSpread: 0,
  squaredError: 0,
  absoluteError: 0,
};

/** Reads pairs of numbers in order. */
abstract class PairMetric implements Metric<number> {
  /** The metric's name in errors; class names do not survive bundlers. */
  protected abstract readonly kind: string;
  readonly #reader = new ValueReader();

  abstract reset(): void;
  abstract current(): number;
  abstract loadState(state: unknown): void;
  protected abstract count(outputs: ArrayLike<number>, targets: ArrayLike<number>): void;
  protected abstract saved(): unknown;

  /**
   * @param output `[...]` float32 @param target `[...]` float32; every element is one pair.
   * @throws ShapeError when the shapes differ in more than axes of size 1, InputError for other dtypes.
   */
  update(output: Tensor, target: Tensor): void {
    assertTensors(this.kind, output, target);
    if (output.dtype !== "float32" || target.dtype !== "float32")
      throw new InputError(
        `${this.kind}: expected float32 outputs and targets, got ${output.dtype} and ${target.dtype}; cast them first`,
      );
    if (!isSameButForOnes(output.shape, target.shape))
      throw new ShapeError(
        `${this.kind}: expected outputs and targets of one shape, got [${output.shape.join(", ")}] and [${target.shape.join(", ")}]`,
      );
    this.#reader.push([alias(output), alias(target)], (outputs, targets) => this.count(outputs, targets));
  }

  async compute(): Promise<number> {
    await this.#reader.drain();
    return this.current();
  }

  async state(): Promise<unknown> {
    await this.#reader.drain();
    return this.saved();
  }
}

/** A metric that follows from {@link Moments}; sums are in float64. */
abstract class MomentMetric extends PairMetric {
  #moments: Moments = NOTHING;

  /** The value of at least one pair. */
  protected abstract of(moments: Moments): number;

  override reset(): void {
    this.#moments = NOTHING;
  }

  protected override count(outputs: ArrayLike<number>, targets: ArrayLike<number>): void {
    let { count, meanOutput, meanTarget, spreadOutput, spreadTarget, coSpread, squaredError, absoluteError } =
      this.#moments;
    for (let index = 0; index < targets.length; index++) {
      const [x, y] = [outputs[index], targets[index]];
      count++;
      const [awayX, awayY] = [x - meanOutput, y - meanTarget];
      meanOutput += awayX / count;
      meanTarget += awayY / count;
      spreadOutput += awayX * (x - meanOutput);
      spreadTarget += awayY * (y - meanTarget);
      coSpread += awayX * (y - meanTarget);
      squaredError += (x - y) ** 2;
      absoluteError += Math.abs(x - y);
    }
    this.#moments = {
      count,
      meanOutput,
      meanTarget,
      spreadOutput,
      spreadTarget,
      coSpread,
      squaredError,
      absoluteError,
    };
  }

  /** NaN before the first pair. */
  override current(): number {
    return this.#moments.count === 0 ? Number.NaN : this.of(this.#moments);
  }

  protected override saved(): Moments {
    return this.#moments;
  }

  override loadState(state: unknown): void {
    const moments = (state ?? {}) as Record<string, unknown>;
    if (!Object.keys(NOTHING).every((name) => typeof moments[name] === "number"))
      throw new InputError(
        `${this.kind}.loadState: expected ${Object.keys(NOTHING).join(", ")}, got something else; pass what state() gave`,
      );
    this.#moments = Object.fromEntries(
      Object.keys(NOTHING).map((name) => [name, moments[name]]),
    ) as unknown as Moments;
  }
}

/** `mean |x − y|`, as scikit-learn's `mean_absolute_error`. */
export class MeanAbsoluteError extends MomentMetric {
  protected override readonly kind = "MeanAbsoluteError";

  protected override of({ absoluteError, count }: Moments): number {
    return absoluteError / count;
  }
}

/** `mean (x − y)²`, as scikit-learn's `mean_squared_error`. */
export class MeanSquaredError extends MomentMetric {
  protected override readonly kind = "MeanSquaredError";

  protected override of({ squaredError, count }: Moments): number {
    return squaredError / count;
  }
}

/** `√(mean (x − y)²)`, as scikit-learn's `root_mean_squared_error`. */
export class RootMeanSquaredError extends MomentMetric {
  protected override readonly kind = "RootMeanSquaredError";

  protected override of({ squaredError, count }: Moments): number {
    return Math.sqrt(squaredError / count);
  }
}

/**
 * Share of the targets' variance that is explained, `1 − Σ (x − y)² / Σ (y − ȳ)²`, as scikit-learn's `r2_score`: NaN for one
 * pair, and for targets that are all equal 1 when every output is right, else 0.
 */
export class R2Score extends MomentMetric {
  protected override readonly kind = "R2Score";

  protected override of({ squaredError, spreadTarget, count }: Moments): number {
    if (count < 2) return Number.NaN;
    if (spreadTarget === 0) return squaredError === 0 ? 1 : 0;
    return 1 - squaredError / spreadTarget;
  }
}

/** Pearson's correlation, `Σ (x − x̄)(y − ȳ) / √(Σ (x − x̄)² · Σ (y − ȳ)²)`, in [−1, 1]; NaN when one side is constant. */
export class PearsonCorrelation extends MomentMetric {
  protected override readonly kind = "PearsonCorrelation";

  protected override of({ coSpread, spreadOutput, spreadTarget }: Moments): number {
    return coSpread / Math.sqrt(spreadOutput * spreadTarget);
  }
}

/**
 * Spearman's correlation: Pearson's of the ranks, equal values sharing their mean rank; NaN when one side is constant.
 * It keeps all values, on the host.
 */
export class SpearmanCorrelation extends PairMetric {
  protected override readonly kind = "SpearmanCorrelation";
  #outputs: number[] = [];
  #targets: number[] = [];

  override reset(): void {
    this.#outputs = [];
    this.#targets = [];
  }

  protected override count(outputs: ArrayLike<number>, targets: ArrayLike<number>): void {
    for (const values of [outputs, targets])
      for (let index = 0; index < values.length; index++)
        if (Number.isNaN(values[index]))
          throw new InputError("SpearmanCorrelation: expected numbers, got NaN; it has no rank");
    for (let index = 0; index < targets.length; index++) {
      this.#outputs.push(outputs[index]);
      this.#targets.push(targets[index]);
    }
  }

  override current(): number {
    const ranked = new RankCorrelation();
    return ranked.between(ranks(this.#outputs), ranks(this.#targets));
  }

  protected override saved(): unknown {
    return { outputs: [...this.#outputs], targets: [...this.#targets] };
  }

  override loadState(state: unknown): void {
    const { outputs, targets } = (state ?? {}) as { outputs?: number[]; targets?: number[] };
    if (!Array.isArray(outputs) || !Array.isArray(targets) || outputs.length !== targets.length)
      throw new InputError(
        "SpearmanCorrelation.loadState: expected outputs and targets, got something else; pass what state() gave",
      );
    this.#outputs = [...outputs];
    this.#targets = [...targets];
  }
}

/** Pearson's correlation of numbers that are at hand. */
class RankCorrelation extends PearsonCorrelation {
  between(a: readonly number[], b: readonly number[]): number {
    this.count(a, b);
    return this.current();
  }
}

/** Positions in rising order from 1 on; equal values share the mean of theirs. */
function ranks(values: readonly number[]): number[] {
  const order = values.map((_, index) => index).sort((a, b) => values[a] - values[b]);
  const result = new Array<number>(values.length);
  let begin = 0;
  while (begin < order.length) {
    let end = begin + 1;
    while (end < order.length && values[order[end]] === values[order[begin]]) end++;
    for (let position = begin; position < end; position++) result[order[position]] = (begin + 1 + end) / 2;
    begin = end;
  }
  return result;
}
