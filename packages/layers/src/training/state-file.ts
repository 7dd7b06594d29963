import { WeightsError } from "@ai/tensor";
import type { StateDict, StateEntry } from "../state-dict.js";

const CODES = { float32: "F32", int32: "I32", bool: "BOOL", int64: "I64" } as const;

/** A state dict in the safetensors format. */
export function encodeStateDict(state: StateDict): Uint8Array {
  const header: Record<string, object> = {};
  let offset = 0;
  for (const [name, { dtype, shape, values }] of state) {
    header[name] = { dtype: CODES[dtype], shape, data_offsets: [offset, offset + values.byteLength] };
    offset += values.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(text.length / 8) * 8;
  const file = new Uint8Array(8 + length + offset).fill(0x20, 8, 8 + length);
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true);
  file.set(text, 8);
  let at = 8 + length;
  for (const { values } of state.values()) {
    file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
    at += values.byteLength;
  }
  return file;
}

/** @throws WeightsError for another dtype. */
export function decodeStateDict(file: Uint8Array): StateDict {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length))) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const body = file.subarray(8 + length);
  return new Map(
    Object.entries(header).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]): [string, StateEntry] => {
        const { buffer } = body.slice(from, to);
        switch (dtype) {
          case "F32":
            return [name, { dtype: "float32", shape, values: new Float32Array(buffer) }];
          case "I32":
            return [name, { dtype: "int32", shape, values: new Int32Array(buffer) }];
          case "BOOL":
            return [name, { dtype: "bool", shape, values: new Uint8Array(buffer) }];
          case "I64":
            return [name, { dtype: "int64", shape, values: new BigInt64Array(buffer) }];
          default:
            throw new WeightsError(`checkpoint: expected F32, I32, I64 or BOOL, got ${dtype} for ${name}`);
        }
      },
    ),
  );
}
