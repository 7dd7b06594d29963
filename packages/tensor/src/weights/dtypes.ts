import type { DType } from "../dtype.js";
import { InputError, WeightsError } from "../errors.js";
import { fromBfloat16s, fromFloat16s, toBfloat16, toFloat16 } from "./half.js";

/**
 * Bits of one element, in the order in which the `safetensors` library sorts tensors, last first. Those without a
 * tensor here (8-bit and smaller floats, complex) can be read and written as bytes only.
 */
const BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

/** Element types of the safetensors format. */
export type SafetensorsDType = keyof typeof BITS;

const ORDER = Object.keys(BITS) as SafetensorsDType[];

/** Whether a name is an element type of the format. */
export function isSafetensorsDType(name: unknown): name is SafetensorsDType {
  return typeof name === "string" && Object.hasOwn(BITS, name);
}

/** Bits of one element. */
export function bitsOf(dtype: SafetensorsDType): number {
  return BITS[dtype];
}

/** Where a dtype stands when a file is written: larger first. */
export function rankOf(dtype: SafetensorsDType): number {
  return ORDER.indexOf(dtype);
}

/** Values of a stored tensor on the host: float32, int32 and bool as tensors have them, int64 exactly. */
export type HostEntry =
  | { readonly dtype: "float32"; readonly shape: readonly number[]; readonly values: Float32Array }
  | { readonly dtype: "int32"; readonly shape: readonly number[]; readonly values: Int32Array }
  | { readonly dtype: "bool"; readonly shape: readonly number[]; readonly values: Uint8Array }
  | { readonly dtype: "int64"; readonly shape: readonly number[]; readonly values: BigInt64Array };

const MOST_FLOAT32 = 3.4028235677973366e38; // from here on a double rounds to infinity
const INT32 = { min: -(2n ** 31n), max: 2n ** 31n - 1n };

/**
 * Converts stored bytes: F64, F16 and BF16 to float32; I8, U8, I16, U16 and what fits of U32, U64 to int32.
 * I64 stays int64 with `keepInt64`, else it becomes int32.
 * @param where Names file and tensor in errors.
 * @throws WeightsError when a value does not fit, or the dtype has no tensor here.
 */
export function decode(
  where: string,
  { dtype, shape, bytes }: { dtype: SafetensorsDType; shape: readonly number[]; bytes: Uint8Array },
  keepInt64: boolean,
): HostEntry {
  const size = BITS[dtype] / 8;
  // a typed array needs an aligned offset, which the format does not promise
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  const { buffer, byteOffset } = aligned;
  const length = bytes.byteLength / size;
  const fits = (value: number | bigint): number => {
    if (value < INT32.min || value > INT32.max)
      throw new WeightsError(
        `${where}: expected ${dtype} values that fit int32, got ${value}; read the bytes instead`,
      );
    return Number(value);
  };
  switch (dtype) {
    case "F32":
      return { dtype: "float32", shape, values: new Float32Array(buffer, byteOffset, length).slice() };
    case "F64":
      return {
        dtype: "float32",
        shape,
        values: Float32Array.from(new Float64Array(buffer, byteOffset, length), (value) => {
          if (Number.isFinite(value) && Math.abs(value) >= MOST_FLOAT32)
            throw new WeightsError(
              `${where}: expected F64 values that fit float32, got ${value}; read the bytes instead`,
            );
          return value;
        }),
      };
    case "F16":
      return {
        dtype: "float32",
        shape,
        values: fromFloat16s(new Uint16Array(buffer, byteOffset, length)),
      };
    case "BF16":
      return {
        dtype: "float32",
        shape,
        values: fromBfloat16s(new Uint16Array(buffer, byteOffset, length)),
      };
    case "BOOL":
      return { dtype: "bool", shape, values: Uint8Array.from(aligned, (value) => (value === 0 ? 0 : 1)) };
    case "I8":
      return { dtype: "int32", shape, values: new Int32Array(new Int8Array(buffer, byteOffset, length)) };
    case "U8":
      return { dtype: "int32", shape, values: new Int32Array(aligned) };
    case "I16":
      return { dtype: "int32", shape, values: new Int32Array(new Int16Array(buffer, byteOffset, length)) };
    case "U16":
      return { dtype: "int32", shape, values: new Int32Array(new Uint16Array(buffer, byteOffset, length)) };
    case "I32":
      return { dtype: "int32", shape, values: new Int32Array(buffer, byteOffset, length).slice() };
    case "U32":
      return {
        dtype: "int32",
        shape,
        values: Int32Array.from(new Uint32Array(buffer, byteOffset, length), fits),
      };
    case "I64": {
      const values = new BigInt64Array(buffer, byteOffset, length);
      if (keepInt64) return { dtype: "int64", shape, values: values.slice() };
      return { dtype: "int32", shape, values: Int32Array.from(values, fits) };
    }
    case "U64":
      return {
        dtype: "int32",
        shape,
        values: Int32Array.from(new BigUint64Array(buffer, byteOffset, length), fits),
      };
    default:
      throw new WeightsError(
        `${where}: expected a dtype that tensors have, got ${dtype}, which is not supported; read the bytes instead`,
      );
  }
}

const STORED: Readonly<Record<HostEntry["dtype"], SafetensorsDType>> = {
  float32: "F32",
  int32: "I32",
  bool: "BOOL",
  int64: "I64",
};

/** The stored dtype that holds a host dtype exactly. */
export function storedDType(dtype: DType | "int64"): SafetensorsDType {
  return STORED[dtype];
}

/**
 * Host values as bytes of a stored dtype. float32 to F16 or BF16 rounds to nearest, ties to even, as PyTorch does.
 * @param dtype The values' own by default; F16, BF16 and F64 for float32, I64 for int32.
 * @throws InputError for any other conversion.
 */
export function encodeValues(
  { dtype: from, values }: Pick<HostEntry, "dtype" | "values">,
  dtype: SafetensorsDType = STORED[from],
): Uint8Array {
  const bytesOf = (array: ArrayBufferView): Uint8Array =>
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  if (dtype === STORED[from]) return bytesOf(values);
  if (from === "float32" && dtype === "F16")
    return bytesOf(Uint16Array.from(values as Float32Array, toFloat16));
  if (from === "float32" && dtype === "BF16")
    return bytesOf(Uint16Array.from(values as Float32Array, toBfloat16));
  if (from === "float32" && dtype === "F64") return bytesOf(Float64Array.from(values as Float32Array));
  if (from === "int32" && dtype === "I64") return bytesOf(BigInt64Array.from(values as Int32Array, BigInt));
  throw new InputError(
    `encodeValues: expected F32, F16, BF16 or F64 for float32, I32 or I64 for int32, BOOL for bool, got ${dtype} for ${from}; cast first`,
  );
}
