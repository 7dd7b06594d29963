import {
  argMax,
  cast,
  crossEntropy,
  equal,
  InputError,
  max,
  notEqual,
  ShapeError,
  softmax,
  sum,
  type Tensor,
  tidy,
} from "@ai/tensor";
import { assertIgnoreIndex } from "../losses/reduction.js";
import { assertOptionNames } from "../option-names.js";
import { ValueReader } from "../value-reader.js";
import { alias, assertClasses, assertTensors, type Metric } from "./metric.js";

/** @throws unless `[..., classes]` scores go with `[...]` classes. */
function assertScores(operation: string, output: Tensor, target: Tensor): void {
  assertTensors(operation, output, target);
  const lead = output.shape.slice(0, -1);
  if (output.dtype !== "float32" || target.dtype !== "int32")
    throw new InputError(
      `${operation}: expected float32 scores and int32 classes, got ${output.dtype} and ${target.dtype}`,
    );
  if (output.shape.length === 0 || lead.join() !== target.shape.join())
    throw new ShapeError(
      `${operation}: expected scores [..., classes] for targets of shape [${target.shape.join(", ")}], got [${output.shape.join(", ")}]`,
    );
  assertClasses(operation, output, "; softmax of it is always 1");
}

/** Options of {@link ExpectedCalibrationError}. */
export interface ExpectedCalibrationErrorOptions {
  /** Intervals of equal width that confidences are sorted into. Default 15. */
  readonly bins?: number;
  /** The outputs are probabilities already; softmax makes them otherwise. Default false. */
  readonly probabilities?: boolean;
  /** Targets with this class do not count. */
  readonly ignoreIndex?: number;
}

/**
 * How far confidence and accuracy are apart: `Σ (n_b / n) · |accuracy_b − confidence_b|` over bins `(lower, upper]` of the
 * highest probability. 0 is calibrated.
 * @see Guo, Pleiss, Sun, Weinberger (2017), "On Calibration of Modern Neural Networks", https://arxiv.org/abs/1706.04599,
 * section 2
 */
export class ExpectedCalibrationError implements Metric<number> {
  readonly #bins: number;
  readonly #probabilities: boolean;
  readonly #ignoreIndex: number | undefined;
  readonly #reader = new ValueReader();
  /** Elements, sums of confidence, and hits of each bin. */
  #counts: [elements: number, confidence: number, hits: number][] = [];

  /** @throws InputError for a number of bins that is not a positive integer. */
  constructor(options: ExpectedCalibrationErrorOptions = {}) {
    assertOptionNames("ExpectedCalibrationError", options, ["bins", "probabilities?", "ignoreIndex"]);
    const { bins = 15, probabilities = false, ignoreIndex } = options;
    if (!Number.isInteger(bins) || bins < 1)
      throw new InputError(
        `ExpectedCalibrationError: expected an integer of bins of at least 1, got ${bins}`,
      );
    assertIgnoreIndex("ExpectedCalibrationError", ignoreIndex);
    this.#bins = bins;
    this.#probabilities = probabilities;
    this.#ignoreIndex = ignoreIndex;
    this.reset();
  }

  reset(): void {
    this.#counts = Array.from({ length: this.#bins }, () => [0, 0, 0]);
  }

  /**
   * @param output `[..., classes]` scores, or probabilities. @param target `[...]` int32 classes.
   * @throws ShapeError when the shapes do not fit, InputError for other dtypes.
   */
  update(output: Tensor, target: Tensor): void {
    assertScores("ExpectedCalibrationError", output, target);
    const [confidence, hits] = tidy(() => [
      max(this.#probabilities ? output : softmax(output), { axes: -1 }), // [...]
      cast(equal(argMax(output, { axis: -1 }), target), "int32"), // [...]
    ]);
    this.#reader.push([confidence, hits, alias(target)], (confidences, right, targets) => {
      for (let index = 0; index < targets.length; index++) {
        if (targets[index] === this.#ignoreIndex) continue;
        const value = confidences[index];
        // rounding may lift a probability a little above 1
        if (!(value >= 0 && value <= 1 + 1e-5))
          throw new InputError(
            `ExpectedCalibrationError: expected probabilities in [0, 1], got ${value}; leave out probabilities for scores`,
          );
        const bin = Math.min(Math.max(Math.ceil(value * this.#bins) - 1, 0), this.#bins - 1);
        this.#counts[bin][0]++;
        this.#counts[bin][1] += value;
        this.#counts[bin][2] += right[index];
      }
    });
  }

  /** In [0, 1]; NaN before the first element. */
  current(): number {
    const total = this.#counts.reduce((all, [elements]) => all + elements, 0);
    const apart = this.#counts.reduce((all, [, confidence, hits]) => all + Math.abs(hits - confidence), 0);
    return apart / total;
  }

  async compute(): Promise<number> {
    await this.#reader.drain();
    return this.current();
  }

  async state(): Promise<unknown> {
    await this.#reader.drain();
    return { counts: this.#counts.map((counts) => [...counts]) };
  }

  loadState(state: unknown): void {
    const { counts } = (state ?? {}) as { counts?: [number, number, number][] };
    const isBin = (bin: unknown): boolean =>
      Array.isArray(bin) && bin.length === 3 && bin.every(Number.isFinite);
    if (!Array.isArray(counts) || counts.length !== this.#bins || !counts.every(isBin))
      throw new InputError(
        `ExpectedCalibrationError.loadState: expected counts of ${this.#bins} bins, got something else; pass what state() gave`,
      );
    this.#counts = counts.map(([elements, confidence, hits]) => [elements, confidence, hits]);
  }
}

/** Options of {@link Perplexity}. */
export interface PerplexityOptions {
  /** Targets with this class do not count. Default −100. */
  readonly ignoreIndex?: number;
}

/**
 * Among how many tokens a language model hesitates: `exp(mean of −log p(token))`, over all tokens that count, however
 * they were batched.
 * @see Jelinek, Mercer, Bahl, Baker (1977), "Perplexity: a measure of the difficulty of speech recognition tasks",
 * https://doi.org/10.1121/1.2016299
 */
export class Perplexity implements Metric<number> {
  readonly #ignoreIndex: number;
  readonly #reader = new ValueReader();
  #sum = 0;
  #tokens = 0;

  /** @throws InputError for an ignoreIndex that is not an integer. */
  constructor(options: PerplexityOptions = {}) {
    assertOptionNames("Perplexity", options, ["ignoreIndex"]);
    const { ignoreIndex = -100 } = options;
    assertIgnoreIndex("Perplexity", ignoreIndex);
    this.#ignoreIndex = ignoreIndex;
  }

  reset(): void {
    this.#sum = 0;
    this.#tokens = 0;
  }

  /**
   * @param output `[..., vocab]` scores. @param target `[...]` int32 tokens.
   * @throws ShapeError when the shapes do not fit, InputError for other dtypes.
   */
  update(output: Tensor, target: Tensor): void {
    assertScores("Perplexity", output, target);
    const parts = tidy(() => [
      crossEntropy(output, target, { ignoreIndex: this.#ignoreIndex, reduction: "sum" }),
      sum(cast(notEqual(target, this.#ignoreIndex), "int32")),
    ]);
    this.#reader.push(parts, ([loss], [tokens]) => {
      this.#sum += loss;
      this.#tokens += tokens;
    });
  }

  /** At least 1; NaN before the first token. */
  current(): number {
    return Math.exp(this.#sum / this.#tokens);
  }

  async compute(): Promise<number> {
    await this.#reader.drain();
    return this.current();
  }

  async state(): Promise<unknown> {
    await this.#reader.drain();
    return { sum: this.#sum, tokens: this.#tokens };
  }

  loadState(state: unknown): void {
    const { sum: total, tokens } = (state ?? {}) as { sum?: number; tokens?: number };
    if (!Number.isFinite(total) || !Number.isSafeInteger(tokens))
      throw new InputError(
        "Perplexity.loadState: expected sum and tokens, got something else; pass what state() gave",
      );
    this.#sum = total as number;
    this.#tokens = tokens as number;
  }
}
