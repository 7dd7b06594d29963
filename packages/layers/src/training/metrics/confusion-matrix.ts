import { InputError } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import { ClassMetric, type ClassMetricOptions } from "./metric.js";

/** Options of {@link ConfusionMatrix}. */
export interface ConfusionMatrixOptions extends ClassMetricOptions {
  /** Classes are 0 … numClasses − 1; another one is an error. Default: as many as were seen. */
  readonly numClasses?: number;
}

/** A metric that follows from how often each class was taken for each other. */
export abstract class ConfusionMetric<Value> extends ClassMetric<Value> {
  readonly #numClasses: number | undefined;
  /** `counts[target][predicted]` */
  #counts: number[][] = [];

  constructor(options: ConfusionMatrixOptions = {}) {
    assertOptionNames(new.target.name, options, ["numClasses", "threshold", "ignoreIndex"]);
    const { numClasses, ...others } = options;
    super(others);
    if (numClasses !== undefined && (!Number.isInteger(numClasses) || numClasses < 1))
      throw new InputError(
        `ConfusionMatrix: expected an integer numClasses of at least 1, got ${numClasses}`,
      );
    this.#numClasses = numClasses;
    if (numClasses !== undefined) this.#grow(numClasses);
  }

  override reset(): void {
    this.#counts = [];
    if (this.#numClasses !== undefined) this.#grow(this.#numClasses);
  }

  #grow(size: number): void {
    for (const row of this.#counts) while (row.length < size) row.push(0);
    while (this.#counts.length < size) this.#counts.push(new Array<number>(size).fill(0));
  }

  protected override count(predicted: number, target: number, _hit: boolean, _column: number): void {
    const largest = Math.max(predicted, target);
    if (!Number.isInteger(predicted) || !Number.isInteger(target) || Math.min(predicted, target) < 0)
      throw new InputError(
        `metric: expected classes from 0 on, got prediction ${predicted} and target ${target}`,
      );
    if (largest >= this.#counts.length) {
      if (this.#numClasses !== undefined)
        throw new InputError(
          `metric: expected classes below ${this.#numClasses}, got ${largest}; raise numClasses`,
        );
      this.#grow(largest + 1);
    }
    this.#counts[target][predicted]++;
  }

  /** `[target][predicted]` counts. */
  protected get counts(): readonly (readonly number[])[] {
    return this.#counts;
  }

  override async state(): Promise<unknown> {
    await this.settle();
    return { counts: this.#counts.map((row) => [...row]) };
  }

  override loadState(state: unknown): void {
    const { counts } = (state ?? {}) as { counts?: number[][] };
    if (!Array.isArray(counts) || counts.some((row) => !Array.isArray(row) || row.length !== counts.length))
      throw new InputError(
        "ConfusionMatrix.loadState: expected square counts, got something else; pass what state() gave",
      );
    this.#counts = counts.map((row) => [...row]);
  }
}

/** How often each class (row) was taken for each class (column), as scikit-learn's `confusion_matrix`. */
export class ConfusionMatrix extends ConfusionMetric<number[][]> {
  override current(): number[][] {
    return this.counts.map((row) => [...row]);
  }
}
