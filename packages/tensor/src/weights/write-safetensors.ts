import type { Tensor } from "@tensorflow/tfjs-core";
import type { DType } from "../dtype.js";
import { InputError, WeightsError } from "../errors.js";
import { read } from "../tensor.js";
import {
  encodeValues,
  type HostEntry,
  isSafetensorsDType,
  type SafetensorsDType,
  storedDType,
} from "./dtypes.js";
import { planSafetensors, type SafetensorsEntry, type SafetensorsOptions, toStored } from "./safetensors.js";

/**
 * What is written under a name: a tensor in its own dtype, a tensor in another stored dtype, host values, or bytes.
 */
export type SafetensorsInput =
  | Tensor
  | { readonly tensor: Tensor; readonly dtype: SafetensorsDType }
  | HostEntry
  | SafetensorsEntry;

/** Inputs by name. */
export type SafetensorsInputs =
  | Readonly<Record<string, SafetensorsInput>>
  | ReadonlyMap<string, SafetensorsInput>;

/** Options of {@link saveSafetensors} and {@link writeSafetensors}. */
export interface WriteOptions extends SafetensorsOptions {
  /** Aborts; a file that was there before stays as it was. */
  readonly signal?: AbortSignal;
}

type Pending = {
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  readonly bytes: () => Promise<Uint8Array>;
};

/** What each input will be stored as; the bytes of a tensor are read when asked for. */
function prepare(inputs: SafetensorsInputs): Map<string, Pending> {
  const entries =
    inputs instanceof Map ? [...inputs] : Object.entries(inputs as Record<string, SafetensorsInput>);
  return new Map(entries.map(([name, input]) => [name, prepareOne(name, input)]));
}

function prepareOne(name: string, input: SafetensorsInput): Pending {
  if ("bytes" in input && input.bytes instanceof Uint8Array) {
    const { dtype, shape, bytes } = toStored(name, input as SafetensorsEntry);
    return { dtype, shape, bytes: async () => bytes };
  }
  if ("values" in input && ArrayBuffer.isView(input.values)) {
    const { dtype, shape, bytes } = toStored(name, input as HostEntry);
    return { dtype, shape, bytes: async () => bytes };
  }
  const tensor = "tensor" in input ? input.tensor : (input as Tensor);
  if (typeof tensor?.dataId !== "object")
    throw new InputError(
      `writeSafetensors: expected a tensor, host values or bytes for ${JSON.stringify(name)}, got something else`,
    );
  const from = tensor.dtype as DType;
  const dtype = "tensor" in input ? input.dtype : storedDType(from);
  if (!isSafetensorsDType(dtype))
    throw new InputError(
      `writeSafetensors: expected a float32, int32 or bool tensor for ${JSON.stringify(name)}, got ${tensor.dtype}`,
    );
  // refuses a conversion that does not exist before anything is written
  encodeValues({ dtype: from, values: new Float32Array(0) } as HostEntry, dtype);
  const values = async (): Promise<Uint8Array> =>
    encodeValues({ dtype: from, values: await read(tensor) } as HostEntry, dtype);
  return { dtype, shape: tensor.shape, bytes: values };
}

/** Every read starts before the first wait: the file shows one moment, also while a training goes on. */
function bytesOf(entries: ReadonlyMap<string, Pending>, order: readonly string[]): Promise<Uint8Array[]> {
  return Promise.all(order.map((name) => entries.get(name)!.bytes()));
}

/**
 * The bytes of a safetensors file, byte-identical to what the `safetensors` library writes of the same tensors.
 * (It orders metadata at random; here they keep their order.)
 * @param tensors By name, any shape. `{ tensor, dtype }` converts: float32 to F16, BF16 (nearest, ties to even) or F64, int32 to I64.
 * @throws InputError for something that cannot be stored.
 * @example
 * const bytes = await writeSafetensors({ weight, bias }, { metadata: { format: "pt" } });
 */
export async function writeSafetensors(
  tensors: SafetensorsInputs,
  { metadata, signal }: WriteOptions = {},
): Promise<Uint8Array> {
  signal?.throwIfAborted();
  const entries = prepare(tensors);
  const { head, order, byteLength } = planSafetensors(entries, metadata === undefined ? {} : { metadata });
  const file = new Uint8Array(byteLength);
  file.set(head);
  let offset = head.byteLength;
  for (const bytes of await bytesOf(entries, order)) {
    file.set(bytes, offset);
    offset += bytes.byteLength;
  }
  signal?.throwIfAborted();
  return file;
}

/**
 * Writes a safetensors file (Node). All or nothing: the bytes go to a file beside it, reach the disk,
 * and only then take the name.
 * @param path Where to; its folder must exist.
 * @param tensors As {@link writeSafetensors} takes them.
 * @throws InputError for something that cannot be stored or in a browser, WeightsError when the disk refuses.
 * @example
 * await saveSafetensors("model.safetensors", { weight, bias });
 */
export async function saveSafetensors(
  path: string,
  tensors: SafetensorsInputs,
  { metadata, signal }: WriteOptions = {},
): Promise<void> {
  if (typeof globalThis.process?.versions?.node !== "string")
    throw new InputError("saveSafetensors: expected Node, got a browser; take the bytes of writeSafetensors");
  signal?.throwIfAborted();
  const entries = prepare(tensors);
  const { head, order } = planSafetensors(entries, metadata === undefined ? {} : { metadata });
  const { open, rename, rm } = await import("node:fs/promises");
  const { dirname } = await import("node:path");
  const temporary = `${path}.${globalThis.process.pid}-${Math.random().toString(36).slice(2)}.tmp`;
  try {
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(head);
      for (const bytes of await bytesOf(entries, order)) {
        signal?.throwIfAborted();
        await file.writeFile(bytes);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    signal?.throwIfAborted();
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    signal?.throwIfAborted();
    if (error instanceof Error && "code" in error && typeof error.code === "string" && "syscall" in error)
      throw new WeightsError(`${path}: expected a file that can be written, got ${error.message}`);
    throw error;
  }
  // the new name itself must reach the disk too; some systems cannot open a folder, then the rename is all there is
  const folder = await open(dirname(path), "r").catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}
