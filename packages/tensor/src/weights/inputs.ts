import type { Tensor } from "@tensorflow/tfjs-core";
import type { DType } from "../dtype.js";
import { InputError } from "../errors.js";
import { type Shape, sizeOf } from "../shape.js";
import { read } from "../tensor.js";
import {
  bitsOf,
  encodeValues,
  type HostEntry,
  isSafetensorsDType,
  type SafetensorsDType,
  storedDType,
} from "./dtypes.js";
import { type SafetensorsEntry, toStored } from "./safetensors.js";

/** Values that are read when their turn to be written comes, so that a large model never lies in memory whole. */
export interface LazyInput {
  /** What is written: the values' own dtype, or one that `{ tensor, dtype }` could have. */
  readonly dtype: SafetensorsDType;
  readonly shape: Shape;
  readonly load: (signal?: AbortSignal) => Promise<HostEntry>;
}

/**
 * What is written under a name: a tensor in its own dtype, a tensor in another stored dtype, host values, bytes, or
 * values that are read when their turn comes.
 */
export type SafetensorsInput =
  | Tensor
  | { readonly tensor: Tensor; readonly dtype: SafetensorsDType }
  | HostEntry
  | SafetensorsEntry
  | LazyInput;

/** Inputs by name. */
export type SafetensorsInputs =
  | Readonly<Record<string, SafetensorsInput>>
  | ReadonlyMap<string, SafetensorsInput>;

/** An input that was checked: what it is stored as, and how to get its bytes. */
export interface Pending {
  readonly dtype: SafetensorsDType;
  readonly shape: Shape;
  readonly byteLength: number;
  /** Whether the bytes are asked for only when they are written. */
  readonly isLazy: boolean;
  readonly bytes: (signal?: AbortSignal) => Promise<Uint8Array>;
}

/**
 * Checks inputs; the bytes of a tensor are read when asked for.
 * @param operation Name for errors.
 * @throws InputError for something that cannot be stored.
 */
export function prepareInputs(operation: string, inputs: SafetensorsInputs): Map<string, Pending> {
  const entries =
    inputs instanceof Map ? [...inputs] : Object.entries(inputs as Record<string, SafetensorsInput>);
  return new Map(entries.map(([name, input]) => [name, prepareOne(operation, name, input)]));
}

function prepareOne(operation: string, name: string, input: SafetensorsInput): Pending {
  const pending = (
    { dtype, shape }: { dtype: SafetensorsDType; shape: Shape },
    bytes: Pending["bytes"],
    isLazy = false,
  ): Pending => ({ dtype, shape, byteLength: (sizeOf(shape) * bitsOf(dtype)) / 8, bytes, isLazy });
  const isPlain = typeof input === "object" && input !== null;
  if (isPlain && "bytes" in input && input.bytes instanceof Uint8Array) {
    const stored = toStored(name, input as SafetensorsEntry);
    return pending(stored, async () => stored.bytes);
  }
  if (isPlain && "values" in input && ArrayBuffer.isView(input.values)) {
    const stored = toStored(name, input as HostEntry);
    return pending(stored, async () => stored.bytes);
  }
  if (isPlain && "load" in input && typeof input.load === "function") {
    const { dtype, shape, load } = input;
    if (!isSafetensorsDType(dtype))
      throw new InputError(
        `${operation}: expected a stored dtype for ${JSON.stringify(name)}, got ${String(dtype)}`,
      );
    const bytes = async (signal?: AbortSignal): Promise<Uint8Array> => {
      const host = await load(signal);
      return toStored(name, { dtype, shape, bytes: encodeValues(host, dtype) }).bytes;
    };
    return pending({ dtype, shape }, bytes, true);
  }
  const tensor = isPlain && "tensor" in input ? input.tensor : (input as Tensor);
  if (typeof tensor?.dataId !== "object")
    throw new InputError(
      `${operation}: expected a tensor, host values or bytes for ${JSON.stringify(name)}, got something else`,
    );
  const from = tensor.dtype as DType;
  const dtype = "tensor" in input ? input.dtype : storedDType(from);
  if (!isSafetensorsDType(dtype))
    throw new InputError(
      `${operation}: expected a float32, int32 or bool tensor for ${JSON.stringify(name)}, got ${tensor.dtype}`,
    );
  // refuses a conversion that does not exist before anything is written
  encodeValues({ dtype: from, values: new Float32Array(0) } as HostEntry, dtype);
  return pending({ dtype, shape: tensor.shape }, async () =>
    encodeValues({ dtype: from, values: await read(tensor) } as HostEntry, dtype),
  );
}

/**
 * Starts every read but the lazy ones before the first wait, so that what is written shows one moment, also while a
 * training goes on.
 */
export function startReads(
  entries: ReadonlyMap<string, Pending>,
  signal?: AbortSignal,
): Map<string, Pending> {
  return new Map(
    [...entries].map(([name, pending]) => {
      if (pending.isLazy) return [name, pending];
      const bytes = pending.bytes(signal);
      bytes.catch(() => {}); // whoever writes meets the error, unless another came first
      return [name, { ...pending, bytes: () => bytes }];
    }),
  );
}

/** Bytes of the inputs in the given order, one after the other; the reads of `entries` were started. */
export async function* bytesInOrder(
  entries: ReadonlyMap<string, Pending>,
  order: readonly string[],
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (const name of order) {
    signal?.throwIfAborted();
    yield await entries.get(name)!.bytes(signal);
  }
}
