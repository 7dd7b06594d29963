import { any, cast, equal, expandDims, InputError, ShapeError, type Tensor, tidy, topK } from "@ai/tensor";
import { ValueReader } from "../value-reader.js";
import { assertClasses, assertTensors, ClassMetric, type ClassMetricOptions, type Metric } from "./metric.js";

interface AccuracyState {
  readonly right: number;
  readonly total: number;
}

function parseState(state: unknown): AccuracyState {
  const { right, total } = (state ?? {}) as Partial<AccuracyState>;
  if (!Number.isSafeInteger(right) || !Number.isSafeInteger(total))
    throw new InputError(
      "Accuracy.loadState: expected right and total, got something else; pass what state() gave",
    );
  return { right: right as number, total: total as number };
}

/**
 * Share of the elements whose class is right, in [0, 1]; NaN before the first element. With one score an element, as
 * `BCEWithLogitsLoss` takes them, pass `{ threshold: 0 }`.
 * @example
 * const trainer = new Trainer({ model, loss, optimizer, metrics: { accuracy: new Accuracy() } });
 */
export class Accuracy extends ClassMetric<number> {
  #right = 0;
  #total = 0;

  constructor(options: ClassMetricOptions = {}) {
    super(options);
  }

  override reset(): void {
    this.#right = 0;
    this.#total = 0;
  }

  protected override count(_predicted: number, _target: number, hit: boolean): void {
    this.#total++;
    if (hit) this.#right++;
  }

  override current(): number {
    return this.#right / this.#total;
  }

  override async state(): Promise<unknown> {
    await this.settle();
    return { right: this.#right, total: this.#total };
  }

  override loadState(state: unknown): void {
    const { right, total } = parseState(state);
    this.#right = right;
    this.#total = total;
  }
}

/** Share of the elements whose class is among the `k` highest scores, in [0, 1]. */
export class TopKAccuracy implements Metric<number> {
  readonly #k: number;
  readonly #reader = new ValueReader();
  #right = 0;
  #total = 0;

  /** @throws InputError for a `k` that is not a positive integer. */
  constructor(k: number) {
    if (!Number.isInteger(k) || k < 1)
      throw new InputError(`TopKAccuracy: expected an integer k of at least 1, got ${k}`);
    this.#k = k;
  }

  reset(): void {
    this.#right = 0;
    this.#total = 0;
  }

  /** @param output `[..., classes]` scores @param target `[...]` int32 true classes */
  update(output: Tensor, target: Tensor): void {
    assertTensors("TopKAccuracy", output, target);
    const lead = output.shape.slice(0, -1);
    if (lead.length !== target.shape.length || lead.some((length, axis) => length !== target.shape[axis]))
      throw new ShapeError(
        `TopKAccuracy: expected targets of shape [${lead.join(", ")}], got [${target.shape.join(", ")}]`,
      );
    assertClasses(
      "TopKAccuracy",
      output,
      "; use Accuracy with threshold 0 for logits or 0.5 for probabilities",
    );
    const hits = tidy(() => {
      const { indices } = topK(output, this.#k); // [..., k]
      return cast(any(equal(indices, expandDims(target, -1)), { axes: -1 }), "int32"); // [...]
    });
    this.#reader.push([hits], (values) => {
      this.#total += values.length;
      for (const hit of values) this.#right += hit;
    });
  }

  current(): number {
    return this.#right / this.#total;
  }

  async compute(): Promise<number> {
    await this.#reader.drain();
    return this.current();
  }

  async state(): Promise<unknown> {
    await this.#reader.drain();
    return { right: this.#right, total: this.#total };
  }

  loadState(state: unknown): void {
    const { right, total } = parseState(state);
    this.#right = right;
    this.#total = total;
  }
}
