import {
  dispose,
  InputError,
  type NestedArray,
  read,
  ShapeError,
  stopGradient,
  type Tensor,
  tidy,
  toArray,
} from "@ai/tensor";
import { batchesUntilAborted } from "./abortable-batches.js";
import { type HostTensor, hostArray, isHostTensor, isTensor, tensorsIn } from "./data/host-tensor.js";
import type { BatchProgress } from "./evaluate.js";
import { breathe } from "./event-loop.js";
import { rememberModes } from "./modes.js";
import { assertOptionNames } from "./option-names.js";
import type { TrainableModel } from "./trainer-options.js";

/** What outputs become: values on the host with their shape, nested arrays, or tensors, which are the caller's. */
export type PredictionForm = "host" | "arrays" | "tensors";

/** An output with its tensors in another form. */
export type Prediction<Output, Form extends PredictionForm = "host"> = Output extends Tensor
  ? Form extends "tensors"
    ? Tensor
    : Form extends "arrays"
      ? NestedArray
      : HostTensor
  : { -readonly [Key in keyof Output]: Prediction<Output[Key], Form> };

/** Options of {@link predict}. */
export interface PredictOptions<Batch, Model, Output> {
  /** Computes the output of a batch. Default: `model.call(input)`, with the batch or its first tensor as input. */
  readonly compute?: (batch: Batch, model: Model) => Output;
  readonly signal?: AbortSignal;
  /** Called after each batch. */
  readonly onProgress?: (progress: BatchProgress) => void;
}

/** Options of {@link predictBatches}. */
export interface PredictBatchesOptions<Batch, Model, Output, Form extends PredictionForm>
  extends PredictOptions<Batch, Model, Output> {
  /** Default "host". */
  readonly form?: Form;
}

/** Batches, from a `DataLoader` or any other source; their tensors are freed once used. */
export type PredictionSource<Batch> = (AsyncIterable<Batch> | Iterable<Batch>) & {
  readonly length?: number | undefined;
};

/**
 * Runs a model over a set in evaluation mode and gives each batch's output as it is ready. Between batches the model's
 * mode is as before.
 * @param source Batches; their tensors are freed.
 * @returns one output a batch: tensors, alone or in arrays and plain objects, in the form asked for.
 * @throws the reason of `signal` once aborted; InputError for a batch without a tensor.
 * @example
 * for await (const scores of predictBatches(model, loader, { form: "arrays" })) console.log(scores);
 */
export async function* predictBatches<
  Batch,
  Model extends TrainableModel,
  Output = Tensor,
  Form extends PredictionForm = "host",
>(
  model: Model,
  source: PredictionSource<Batch>,
  options: PredictBatchesOptions<Batch, Model, Output, Form> = {},
): AsyncGenerator<Prediction<Output, Form>, void, undefined> {
  assertOptions("predictBatches", model, source, options, ["compute", "signal", "onProgress", "form"]);
  const { form = "host", signal } = options;
  if (form !== "host" && form !== "arrays" && form !== "tensors")
    throw new InputError(`predictBatches: expected form host, arrays or tensors, got ${String(form)}`);
  for await (const output of outputsOf("predictBatches", model, source, options)) {
    const result = form === "tensors" ? output : await readAll(output, form === "arrays" ? toArray : onHost);
    if (form !== "tensors") signal?.throwIfAborted();
    yield result as Prediction<Output, Form>;
  }
}

/**
 * Runs a model over a set in evaluation mode and puts the outputs of all batches together, on the host.
 * @param source Batches; their tensors are freed.
 * @returns the output of all examples: `[examples, ...]`, alone or in arrays and plain objects.
 * @throws the reason of `signal` once aborted; InputError without batches or for a batch without a tensor; ShapeError
 * when batches differ in more than their first size.
 * @example
 * const { values, shape } = await predict(model, new DataLoader(dataset, { batchSize: 64 }));
 */
export async function predict<Batch, Model extends TrainableModel, Output = Tensor>(
  model: Model,
  source: PredictionSource<Batch>,
  options: PredictOptions<Batch, Model, Output> = {},
): Promise<Prediction<Output>> {
  assertOptions("predict", model, source, options, ["compute", "signal", "onProgress"]);
  const parts: unknown[] = [];
  for await (const output of outputsOf("predict", model, source, options))
    parts.push(await readAll(output, onHost));
  options.signal?.throwIfAborted();
  if (parts.length === 0) throw new InputError("predict: expected at least one batch, got none");
  return joined(parts) as Prediction<Output>;
}

/** Outputs of batches; their tensors are the caller's. */
async function* outputsOf<Batch, Model extends TrainableModel, Output>(
  operation: string,
  model: Model,
  source: PredictionSource<Batch>,
  { compute, signal, onProgress }: PredictOptions<Batch, Model, Output>,
): AsyncGenerator<Output, void, undefined> {
  const call = compute ?? ((batch: Batch) => callModel(operation, model, batch) as Output);
  let done = 0;
  for await (const batch of batchesUntilAborted(source, signal)) {
    let output: Output;
    try {
      const restoreModes = rememberModes(model);
      try {
        model.eval();
        output = tidy(() => owned(call(batch, model), tensorsIn(batch)));
      } finally {
        restoreModes();
      }
    } finally {
      dispose([...tensorsIn(batch)]);
    }
    yield output;
    done++;
    onProgress?.({ done, total: source.length });
    await breathe();
  }
}

function callModel<Batch>(operation: string, model: TrainableModel, batch: Batch): unknown {
  const input = isTensor(batch) ? batch : Array.isArray(batch) ? batch[0] : undefined;
  if (!isTensor(input))
    throw new InputError(
      `${operation}: expected a tensor or a list that begins with one as batch, got ${Array.isArray(batch) ? "a list without" : typeof batch}; pass compute`,
    );
  return (model as unknown as { call(input: Tensor): unknown }).call(input);
}

/** The same structure; tensors of the batch and of parameters become tensors of their own. */
function owned<Output>(output: Output, batch: ReadonlySet<Tensor>): Output {
  return mapped(output, (value) => (value.kept || batch.has(value) ? stopGradient(value) : value)) as Output;
}

/** A structure with other things in the places of its tensors. */
function mapped(value: unknown, change: (value: Tensor) => unknown): unknown {
  if (isTensor(value)) return change(value);
  if (Array.isArray(value)) return value.map((part) => mapped(part, change));
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, mapped(part, change)]));
}

/** Reads the tensors of an output at once, and frees them. */
async function readAll(output: unknown, reader: (value: Tensor) => Promise<unknown>): Promise<unknown> {
  const tensors = [...tensorsIn(output)];
  try {
    const values = await Promise.all(tensors.map(reader));
    const byTensor = new Map(tensors.map((value, index) => [value, values[index]]));
    return mapped(output, (value) => byTensor.get(value));
  } finally {
    dispose(tensors);
  }
}

async function onHost(value: Tensor): Promise<HostTensor> {
  return { values: await read(value), shape: value.shape, dtype: value.dtype as HostTensor["dtype"] };
}

/** Outputs of batches as one, along their first axis. */
function joined(parts: readonly unknown[]): unknown {
  const [first] = parts;
  if (isHostTensor(first)) return joinedTensors(parts as readonly HostTensor[]);
  if (Array.isArray(first))
    return first.map((_, index) => joined(parts.map((part) => (part as never[])[index])));
  if (typeof first !== "object" || first === null) return parts;
  const names = Object.keys(first);
  return Object.fromEntries(
    names.map((name) => [name, joined(parts.map((part) => (part as Record<string, unknown>)[name]))]),
  );
}

function joinedTensors(parts: readonly HostTensor[]): HostTensor {
  const [{ dtype, shape }] = parts;
  const row = shape.slice(1);
  const other = parts.find((part) => part.shape.length === 0 || part.shape.slice(1).join() !== row.join());
  if (other !== undefined)
    throw new ShapeError(
      `predict: expected outputs [examples, ${row.join(", ") || "…"}] of every batch, got [${other.shape.join(", ")}]; use predictBatches`,
    );
  const values = hostArray(
    "predict",
    dtype,
    parts.reduce((total, part) => total + part.values.length, 0),
  );
  let offset = 0;
  for (const part of parts) {
    values.set(part.values, offset);
    offset += part.values.length;
  }
  return { values, shape: [parts.reduce((total, part) => total + part.shape[0], 0), ...row], dtype };
}

function assertOptions(
  operation: string,
  model: unknown,
  source: unknown,
  options: object,
  names: readonly string[],
): void {
  assertOptionNames(operation, options, names);
  if (typeof (model as TrainableModel | null)?.eval !== "function")
    throw new InputError(`${operation}: expected a model, got ${model === null ? "null" : typeof model}`);
  const { [Symbol.asyncIterator]: asynchronous, [Symbol.iterator]: synchronous } = (source ?? {}) as {
    [Symbol.asyncIterator]?: unknown;
    [Symbol.iterator]?: unknown;
  };
  if (typeof asynchronous !== "function" && typeof synchronous !== "function")
    throw new InputError(
      `${operation}: expected batches, got ${typeof source}; wrap a dataset in a DataLoader`,
    );
}
