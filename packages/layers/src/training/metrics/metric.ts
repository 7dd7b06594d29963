import { argMax, cast, greater, InputError, reshape, ShapeError, type Tensor, tidy } from "@ai/tensor";
import { isTensor } from "../data/host-tensor.js";
import { assertIgnoreIndex } from "../losses/reduction.js";
import { assertOptionNames } from "../option-names.js";
import { ValueReader } from "../value-reader.js";

/** A number (or more) over a whole set, built up batch by batch. */
export interface Metric<Value = number> {
  /** Forgets everything. */
  reset(): void;
  /** Counts a batch. Neither tensor is kept or freed; nothing waits for the device. */
  update(output: Tensor, target: Tensor): void;
  /** The value over all batches since the last reset. */
  compute(): Promise<Value>;
  /** The value over what has arrived from the device so far; for showing while batches are still on their way. */
  current(): Value;
  /** What was counted so far, as plain JSON. */
  state(): Promise<unknown>;
  /** Goes on from a saved state. */
  loadState(state: unknown): void;
}

/** How a metric finds classes in a model's output. */
export interface ClassMetricOptions {
  /**
   * The output is one score an element, `[...]` or `[..., 1]`, and the class is `score > threshold`: 0 for logits, 0.5 for
   * probabilities. Default: the class is the highest score of the last axis, which has two or more.
   */
  readonly threshold?: number;
  /** Targets with this class do not count. */
  readonly ignoreIndex?: number;
}

/** A metric that needs only the predicted and the true class of each element. */
export abstract class ClassMetric<Value> implements Metric<Value> {
  readonly #threshold: number | undefined;
  readonly #ignoreIndex: number | undefined;
  readonly #reader = new ValueReader();

  /** @throws InputError for a threshold that is not a number, or a class that is not an integer. */
  constructor(options: ClassMetricOptions = {}) {
    assertOptionNames("metric", options, ["threshold", "ignoreIndex"]);
    const { threshold, ignoreIndex } = options;
    assertIgnoreIndex(new.target.name, ignoreIndex);
    if (threshold !== undefined && !(typeof threshold === "number" && !Number.isNaN(threshold)))
      throw new InputError(`${new.target.name}: expected threshold as a number, got ${String(threshold)}`);
    this.#threshold = threshold;
    this.#ignoreIndex = ignoreIndex;
  }

  abstract reset(): void;
  abstract state(): Promise<unknown>;
  abstract loadState(state: unknown): void;
  abstract current(): Value;
  /**
   * Counts one element. @param hit Whether it is right; with top-k more than one class is.
   * @param column Its position in the last axis of the targets.
   */
  protected abstract count(predicted: number, target: number, hit: boolean, column: number): void;

  /**
   * @param output `[..., classes]` float32 scores, `[...]` float32 scores with `threshold`, or `[...]` int32 classes.
   * @param target `[...]` true classes, int32; bool and float32 0 and 1 with `threshold`.
   * @throws ShapeError when the shapes do not fit, InputError for what is no tensor, or one class without `threshold`.
   */
  update(output: Tensor, target: Tensor): void {
    assertTensors("metric", output, target);
    const predictions = tidy(() => this.predict(output));
    const { shape } = predictions;
    if (!isSameButForOnes(shape, target.shape)) {
      predictions.dispose();
      throw new ShapeError(
        `metric: expected one target for each prediction, got predictions of shape [${shape.join(", ")}] and targets of shape [${target.shape.join(", ")}]`,
      );
    }
    const columns = target.shape.at(-1) ?? 1;
    this.#reader.push([predictions, alias(target)], (predicted, truth) => {
      for (let index = 0; index < truth.length; index++) {
        if (truth[index] === this.#ignoreIndex) continue;
        this.count(predicted[index], truth[index], predicted[index] === truth[index], index % columns);
      }
    });
  }

  /** @returns `[...]` int32 classes */
  protected predict(output: Tensor): Tensor {
    if (this.#threshold !== undefined) return cast(greater(output, this.#threshold), "int32");
    if (output.dtype === "int32") return alias(output);
    if (output.dtype !== "float32" || output.shape.length === 0)
      throw new InputError(
        `metric: expected float32 scores [..., classes] or int32 classes, got ${output.dtype} [${output.shape.join(", ")}]`,
      );
    assertClasses(
      "metric",
      output,
      "; pass { threshold: 0 } for logits or { threshold: 0.5 } for probabilities",
    );
    return argMax(output, { axis: -1 }); // [...]
  }

  /** Waits for what is still being read. */
  protected async settle(): Promise<void> {
    await this.#reader.drain();
  }

  async compute(): Promise<Value> {
    await this.settle();
    return this.current();
  }
}

/** Whether shapes differ in axes of size 1 only: scores `[batch, 1]` go with targets `[batch]`; batch and length that are swapped do not. */
export function isSameButForOnes(a: readonly number[], b: readonly number[]): boolean {
  const long = (shape: readonly number[]): string => shape.filter((length) => length !== 1).join();
  return long(a) === long(b);
}

/** @throws InputError unless both are tensors: a model or a batch may lack one. */
export function assertTensors(operation: string, output: unknown, target: unknown): void {
  for (const [name, value] of Object.entries({ output, target }))
    if (!isTensor(value))
      throw new InputError(
        `${operation}: expected a tensor as ${name}, got ${value === null ? "null" : Array.isArray(value) ? "an array" : typeof value}`,
      );
}

/** @throws InputError for scores of one class: it is always the highest, and what was meant is one score an element. */
export function assertClasses(operation: string, output: Tensor, fix: string): void {
  if (output.shape.at(-1) === 1)
    throw new InputError(
      `${operation}: expected scores [..., classes] of two classes or more, got [${output.shape.join(", ")}], one score an element${fix}`,
    );
}

/** A tensor that outlives the caller's. @returns `[...]` */
export function alias(tensor: Tensor): Tensor {
  return reshape(tensor, tensor.shape);
}
