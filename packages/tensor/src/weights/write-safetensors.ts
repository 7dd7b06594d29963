import { assertOptions } from "../arguments.js";
import { bytesInOrder, prepareInputs, type SafetensorsInputs, startReads } from "./inputs.js";
import { replaceFiles } from "./replace-files.js";
import { planSafetensors, type SafetensorsOptions } from "./safetensors.js";

/** Options of {@link saveSafetensors} and {@link writeSafetensors}. */
export interface WriteOptions extends SafetensorsOptions {
  /** Aborts; a file that was there before stays as it was. */
  readonly signal?: AbortSignal;
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
  options: WriteOptions = {},
): Promise<Uint8Array> {
  assertOptions("writeSafetensors", options, ["metadata", "signal"]);
  const { metadata, signal } = options;
  signal?.throwIfAborted();
  const entries = startReads(prepareInputs("writeSafetensors", tensors), signal);
  const { head, order, byteLength } = planSafetensors(entries, metadata === undefined ? {} : { metadata });
  const file = new Uint8Array(byteLength);
  file.set(head);
  let offset = head.byteLength;
  for await (const bytes of bytesInOrder(entries, order, signal)) {
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
  options: WriteOptions = {},
): Promise<void> {
  assertOptions("saveSafetensors", options, ["metadata", "signal"]);
  const { metadata, signal } = options;
  signal?.throwIfAborted();
  const entries = startReads(prepareInputs("saveSafetensors", tensors), signal);
  const { head, order } = planSafetensors(entries, metadata === undefined ? {} : { metadata });
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    yield head;
    yield* bytesInOrder(entries, order, signal);
  };
  await replaceFiles("saveSafetensors", [{ path, pieces }], signal);
}
