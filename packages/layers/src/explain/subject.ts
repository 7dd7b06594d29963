import {
  argMax,
  dispose,
  gather,
  InputError,
  keep,
  max,
  noGrad,
  read,
  reshape,
  ShapeError,
  type Tensor,
  takeAlongAxis,
  tensor,
  tidy,
} from "@ai/tensor";
import { assertIntegers, formatShape } from "../checks.js";
import { type AnyModule, Module } from "../module.js";
import { suggestion } from "../tasks/spelling.js";
import { assertOptionNames } from "../training/option-names.js";
import type { ExplainOptions } from "./explain-options.js";

const DEFAULT_BATCH_SIZE = 16;

type AnyOptions = ExplainOptions<never>;

/** A model, an input and a target: gives the target's number for rows of samples. All its work but `begin` is synchronous. */
export class Subject {
  readonly operation: string;
  readonly model: AnyModule;
  readonly x: Tensor;
  /** Number of samples. */
  readonly batch: number;
  readonly batchSize: number;
  /** The class explained for each sample; undefined when the target is a function. */
  classes: readonly number[] | undefined;
  readonly #options: AnyOptions;

  /** @throws InputError or ShapeError for arguments and options that do not fit. */
  constructor(
    operation: string,
    { model, x, names }: { readonly model: AnyModule; readonly x: Tensor; readonly names: readonly string[] },
    options: AnyOptions,
  ) {
    if (!(model instanceof Module))
      throw new InputError(`${operation}: expected a module as model, got ${typeof model}`);
    if (typeof x !== "object" || x === null || !("dataId" in x))
      throw new InputError(
        `${operation}: expected a tensor as input, got ${typeof x}; make one with tensor()`,
      );
    if (x.shape.length < 2 || x.shape[0] < 1)
      throw new ShapeError(`${operation}: expected an input [batch, ...], got ${formatShape(x.shape)}`);
    assertOptionNames(operation, options, names);
    const { batchSize = DEFAULT_BATCH_SIZE, target } = options;
    assertIntegers(operation, { batchSize });
    this.operation = operation;
    this.model = model;
    this.x = x;
    this.batch = x.shape[0];
    this.batchSize = batchSize;
    this.#options = options;
    if (typeof target === "function") return;
    if (Array.isArray(target) && target.length !== this.batch)
      throw new InputError(
        `${operation}: expected a target for each of ${this.batch} samples, got ${target.length}`,
      );
    if (target === undefined) return;
    const classes = Array.isArray(target) ? target : new Array<number>(this.batch).fill(target as number);
    classes.forEach((target) => {
      assertIntegers(operation, { target }, 0);
    });
    this.classes = classes;
  }

  /** Chooses the classes where none are given. @returns the target's number for each sample. */
  async begin(): Promise<number[]> {
    const chooses = this.classes === undefined && typeof this.#options.target !== "function";
    const [scores, classes]: number[][] = [[], []];
    for (const rows of this.batches(this.batch)) {
      this.#options.signal?.throwIfAborted();
      const results = noGrad(() =>
        tidy(() => {
          if (!chooses) return [this.score(rows, this.take(rows))];
          const logits = this.#logits(this.call(rows, this.take(rows)), rows.length);
          return [max(logits, { axes: 1 }), argMax(logits, { axis: 1 })];
        }),
      );
      try {
        const [numbers, chosen] = await Promise.all(results.map((result) => read(result)));
        scores.push(...Array.from(numbers as ArrayLike<number>));
        if (chooses) classes.push(...Array.from(chosen as ArrayLike<number>));
      } finally {
        dispose(results);
      }
    }
    if (chooses) this.classes = classes;
    return scores;
  }

  /** Numbers that `compute` gives, unrecorded and in one synchronous scope. */
  async read(compute: () => Tensor): Promise<number[]> {
    const result = noGrad(() => tidy(compute));
    try {
      return Array.from((await read(result)) as ArrayLike<number>);
    } finally {
      dispose(result);
    }
  }

  /** Indices `0 … total − 1` in batches. */
  *batches(total: number): Generator<number[]> {
    for (let from = 0; from < total; from += this.batchSize)
      yield Array.from({ length: Math.min(this.batchSize, total - from) }, (_, index) => from + index);
  }

  /**
   * Does work on batches of rows: `compute` in one synchronous scope, then `use` of the values on the host.
   * @throws the signal's reason.
   */
  async forEachBatch(
    total: number,
    compute: (rows: number[]) => Tensor[],
    use: (rows: number[], values: Float32Array[]) => void,
  ): Promise<void> {
    const { signal, onProgress } = this.#options;
    for (const rows of this.batches(total)) {
      signal?.throwIfAborted();
      const results = tidy(() => compute(rows));
      try {
        use(rows, (await Promise.all(results.map((result) => read(result)))) as Float32Array[]);
      } finally {
        dispose(results);
      }
      onProgress?.({ done: rows[rows.length - 1] + 1, total });
    }
    signal?.throwIfAborted();
  }

  /** Samples of the input. @returns `[rows, ...]` */
  take(samples: readonly number[]): Tensor {
    return takeRows(this.x, samples);
  }

  /** Calls the model in evaluation mode. @param input `[rows, ...]` @param samples which sample each row is of */
  call(samples: readonly number[], input: Tensor): unknown {
    const others = (this.#options.otherInputs ?? []).map((other) => along(other, samples, this.batch));
    return evaluating(this.model, () => this.model.call(input, ...others));
  }

  /** The target's number for each row. @param input `[rows, ...]` @returns `[rows]` */
  score(samples: readonly number[], input: Tensor): Tensor {
    const output = this.call(samples, input);
    const { target } = this.#options;
    const count = samples.length;
    if (typeof target === "function") {
      const scores: unknown = target(output as never);
      const given = typeof scores === "object" && scores !== null && "dataId" in scores;
      if (!given || (scores as Tensor).size !== count || (scores as Tensor).dtype !== "float32")
        throw new ShapeError(
          `${this.operation}: expected a target function that gives a float32 tensor [${count}], one number a sample, got ${given ? `${formatShape((scores as Tensor).shape)} ${(scores as Tensor).dtype}` : typeof scores}`,
        );
      return reshape(scores as Tensor, [count]);
    }
    const logits = this.#logits(output, count);
    const [, classes]: readonly number[] = logits.shape;
    const chosen = samples.map((sample) => (this.classes as readonly number[])[sample]);
    const wrong = chosen.find((index) => index >= classes);
    if (wrong !== undefined)
      throw new InputError(`${this.operation}: expected a target below the ${classes} classes, got ${wrong}`);
    const indices = tensor(Int32Array.from(chosen), [count, 1]);
    return reshape(takeAlongAxis(logits, indices, { axis: 1 }), [count]);
  }

  #logits(output: unknown, rows: number): Tensor {
    const given = typeof output === "object" && output !== null && "dataId" in output;
    const shape = given ? (output as Tensor).shape : undefined;
    if (shape === undefined || shape.length !== 2 || shape[0] !== rows)
      throw new ShapeError(
        `${this.operation}: expected a model that gives logits [${rows}, classes], got ${shape === undefined ? typeof output : formatShape(shape)}; pass a function as target`,
      );
    return output as Tensor;
  }

  /** The layer that a path or a module names. @throws InputError when it is none of the model's. */
  layer(layer: string | AnyModule): AnyModule {
    const named = this.model.namedModules();
    const found = named.find(([path, module]) => module === layer || path === layer)?.[1];
    if (found !== undefined) return found;
    const paths = named.map(([path]) => path).filter((path) => path !== "");
    throw new InputError(
      `${this.operation}: expected a layer of the model, got ${typeof layer === "string" ? `"${layer}"${suggestion(layer, paths)}` : layer instanceof Module ? "a module that is not in it" : `${layer === null ? "null" : typeof layer}; name one of ${paths.join(", ")}`}`,
    );
  }

  /** What a layer gives during `fn`, unrecorded. @returns a tensor that is kept: dispose it. */
  capture(layer: AnyModule, fn: () => unknown): Tensor {
    const outputs: unknown[] = [];
    const remove = layer.registerForwardHook((_, __, output) => {
      const isTensor = typeof output === "object" && output !== null && "dataId" in output;
      outputs.push(isTensor ? keep(reshape(output as Tensor, (output as Tensor).shape)) : undefined);
      return undefined;
    });
    try {
      noGrad(() => tidy(() => void fn()));
    } catch (error) {
      dispose(outputs.filter((output) => output !== undefined) as Tensor[]);
      throw error;
    } finally {
      remove();
    }
    const [output] = outputs;
    if (outputs.length === 1 && output !== undefined) return output as Tensor;
    dispose(outputs.filter((other) => other !== undefined) as Tensor[]);
    throw new InputError(
      `${this.operation}: expected a layer that is called once and gives one tensor, got ${outputs.length === 1 ? "one that gives something else" : `${outputs.length} calls`} of ${layer.constructor.name}; choose another layer`,
    );
  }
}

/** Runs `fn` while a layer's output is another tensor. */
export function replacing<T>(layer: AnyModule, output: Tensor, fn: () => T): T {
  const remove = layer.registerForwardHook(() => output);
  try {
    return fn();
  } finally {
    remove();
  }
}

/** Runs `fn`, which is synchronous, with a model in evaluation mode and puts the modes back. */
export function evaluating<T>(model: AnyModule, fn: () => T): T {
  const modules = model.namedModules().map(([, module]) => module);
  const modes = modules.map(({ training }) => training);
  model.eval();
  try {
    return fn();
  } finally {
    modules.forEach((module, index) => {
      module.training = modes[index];
    });
  }
}

/** Rows of a tensor, which may repeat. @param x `[batch, ...]` @returns `[rows, ...]` */
export function takeRows(x: Tensor, rows: readonly number[]): Tensor {
  return tidy(() => gather(x, tensor(Int32Array.from(rows), [rows.length])));
}

/** Rows of every tensor in nested arrays and plain objects whose first axis is the batch. */
function along(value: unknown, rows: readonly number[], batch: number): unknown {
  if (typeof value !== "object" || value === null) return value;
  if ("dataId" in value)
    return (value as Tensor).shape[0] === batch ? takeRows(value as Tensor, rows) : value;
  if (Array.isArray(value)) return value.map((part) => along(part, rows, batch));
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, along(part, rows, batch)]));
}

/** Parts after each other. */
export function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
