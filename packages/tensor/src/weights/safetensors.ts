import { WeightsError } from "../errors.js";

/** One tensor of a safetensors file: its bytes are a view into the file. */
export interface SafetensorsEntry {
  /** `F32`, `I64`, `BOOL` … */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Reads the header and returns views of the tensors. @throws WeightsError for a damaged file. */
export function parseSafetensors(data: Uint8Array): {
  tensors: Map<string, SafetensorsEntry>;
  metadata: Record<string, string>;
} {
  // never a Node Buffer: its slice() would share memory
  const file = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (file.byteLength < 8)
    throw new WeightsError(`safetensors: expected at least 8 bytes, got ${file.byteLength}`);
  const length = Number(new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true));
  if (length > file.byteLength - 8)
    throw new WeightsError(`safetensors: expected a header inside the file, got ${length} bytes of header`);
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  const tensors = new Map<string, SafetensorsEntry>();
  for (const [name, entry] of Object.entries<any>(header)) {
    if (name === "__metadata__") continue;
    tensors.set(name, {
      dtype: entry.dtype,
      shape: entry.shape,
      bytes: file.subarray(8 + length + entry.data_offsets[0], 8 + length + entry.data_offsets[1]),
    });
  }
  return { tensors, metadata: header.__metadata__ ?? {} };
}
