import { WeightsError } from "../../errors.js";
import { decode, type HostEntry, type SafetensorsDType } from "../dtypes.js";
import { fromFloat16 } from "../half.js";

/** How a type of GGUF lies in a file: blocks of `values` values in `bytes` bytes. */
export interface GgufType {
  readonly name: string;
  readonly values: number;
  readonly bytes: number;
}

/** Name, values and bytes of a block by the number that stands in the file (ggml.h, `enum ggml_type`). */
const TYPES: Readonly<Record<number, readonly [name: string, values: number, bytes: number]>> = {
  0: ["F32", 1, 4],
  1: ["F16", 1, 2],
  2: ["Q4_0", 32, 18],
  3: ["Q4_1", 32, 20],
  6: ["Q5_0", 32, 22],
  7: ["Q5_1", 32, 24],
  8: ["Q8_0", 32, 34],
  9: ["Q8_1", 32, 40],
  10: ["Q2_K", 256, 84],
  11: ["Q3_K", 256, 110],
  12: ["Q4_K", 256, 144],
  13: ["Q5_K", 256, 176],
  14: ["Q6_K", 256, 210],
  15: ["Q8_K", 256, 292],
  16: ["IQ2_XXS", 256, 66],
  17: ["IQ2_XS", 256, 74],
  18: ["IQ3_XXS", 256, 98],
  19: ["IQ1_S", 256, 50],
  20: ["IQ4_NL", 32, 18],
  21: ["IQ3_S", 256, 110],
  22: ["IQ2_S", 256, 82],
  23: ["IQ4_XS", 256, 136],
  24: ["I8", 1, 1],
  25: ["I16", 1, 2],
  26: ["I32", 1, 4],
  27: ["I64", 1, 8],
  28: ["F64", 1, 8],
  29: ["IQ1_M", 256, 56],
  30: ["BF16", 1, 2],
  34: ["TQ1_0", 256, 54],
  35: ["TQ2_0", 256, 66],
  39: ["MXFP4", 32, 17],
  40: ["NVFP4", 64, 36],
  41: ["Q1_0", 128, 18],
};

/** The type of a number in the file; undefined when the format has none. */
export function ggufType(number: number): GgufType | undefined {
  if (!Object.hasOwn(TYPES, number)) return undefined;
  const [name, values, bytes] = TYPES[number];
  return { name, values, bytes };
}

/** Reads the block at `start` into `output` from `first` on. Scales are float16; arithmetic is exact up to one rounding. */
type Block = (bytes: Uint8Array, start: number, output: Float32Array, first: number) => void;

const half = (bytes: Uint8Array, at: number): number => fromFloat16(bytes[at] | (bytes[at + 1] << 8));

/** Added to any number, -0 included, it changes nothing. */
const NOTHING = -0;

/** 32 values of 4 bits: the low halves of 16 bytes, then the high ones. `high` gives the fifth bit, `offset` is subtracted. */
function nibbles(
  scale: number,
  minimum: number,
  offset: number,
  read: { bytes: Uint8Array; at: number; high: number },
  output: Float32Array,
  first: number,
): void {
  const { bytes, at, high } = read;
  for (let index = 0; index < 16; index++) {
    const byte = bytes[at + index];
    const low = (byte & 15) | (((high >>> index) & 1) << 4);
    const top = (byte >> 4) | (((high >>> (index + 16)) & 1) << 4);
    output[first + index] = scale * (low - offset) + minimum;
    output[first + 16 + index] = scale * (top - offset) + minimum;
  }
}

const word = (bytes: Uint8Array, at: number): number =>
  bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);

/** The 6-bit scale and minimum of part 0 to 7, packed into 12 bytes. */
function scaleAndMinimum(bytes: Uint8Array, at: number, part: number): [number, number] {
  if (part < 4) return [bytes[at + part] & 63, bytes[at + part + 4] & 63];
  const low = bytes[at + part + 4];
  return [(low & 15) | ((bytes[at + part - 4] >> 6) << 4), (low >> 4) | ((bytes[at + part] >> 6) << 4)];
}

/** Q4_K and Q5_K: 8 parts of 32 values `scale · q − minimum`; Q5_K keeps the fifth bits in 32 bytes before the rest. */
function kBlock(hasHigh: boolean): Block {
  return (bytes, start, output, first) => {
    const scale = half(bytes, start);
    const minimum = half(bytes, start + 2);
    const high = start + 16;
    const low = hasHigh ? high + 32 : high;
    for (let part = 0; part < 8; part++) {
      const [partScale, partMinimum] = scaleAndMinimum(bytes, start + 4, part);
      const factor = scale * partScale;
      const subtracted = minimum * partMinimum;
      const shift = (part & 1) * 4;
      const from = low + (part >> 1) * 32;
      const to = first + part * 32;
      for (let index = 0; index < 32; index++) {
        const fifth = hasHigh ? ((bytes[high + index] >> part) & 1) << 4 : 0;
        output[to + index] = factor * (((bytes[from + index] >> shift) & 15) | fifth) - subtracted;
      }
    }
  };
}

/** Q6_K: two halves of 128 values; low 4 bits, high 2 bits, a signed scale for each 16 values. */
const sixBits: Block = (bytes, start, output, first) => {
  const scale = half(bytes, start + 208);
  for (let part = 0; part < 8; part++) {
    const side = part >> 2;
    const low = start + side * 64 + (part & 1) * 32;
    const lowShift = ((part >> 1) & 1) * 4;
    const high = start + 128 + side * 32;
    const highShift = (part & 3) * 2;
    for (let index = 0; index < 32; index++) {
      const partScale = (bytes[start + 192 + part * 2 + (index >> 4)] << 24) >> 24;
      const q = ((bytes[low + index] >> lowShift) & 15) | (((bytes[high + index] >> highShift) & 3) << 4);
      output[first + part * 32 + index] = scale * partScale * (q - 32);
    }
  }
};

const BLOCKS: Readonly<Record<string, Block>> = {
  Q4_0: (bytes, start, output, first) =>
    nibbles(half(bytes, start), NOTHING, 8, { bytes, at: start + 2, high: 0 }, output, first),
  Q4_1: (bytes, start, output, first) =>
    nibbles(half(bytes, start), half(bytes, start + 2), 0, { bytes, at: start + 4, high: 0 }, output, first),
  Q5_0: (bytes, start, output, first) =>
    nibbles(
      half(bytes, start),
      NOTHING,
      16,
      { bytes, at: start + 6, high: word(bytes, start + 2) },
      output,
      first,
    ),
  Q5_1: (bytes, start, output, first) =>
    nibbles(
      half(bytes, start),
      half(bytes, start + 2),
      0,
      { bytes, at: start + 8, high: word(bytes, start + 4) },
      output,
      first,
    ),
  Q8_0: (bytes, start, output, first) => {
    const scale = half(bytes, start);
    for (let index = 0; index < 32; index++)
      output[first + index] = scale * ((bytes[start + 2 + index] << 24) >> 24);
  },
  Q4_K: /* @__PURE__ */ kBlock(false),
  Q5_K: /* @__PURE__ */ kBlock(true),
  Q6_K: sixBits,
};

const PLAIN: Readonly<Record<string, SafetensorsDType>> = {
  F32: "F32",
  F16: "F16",
  BF16: "BF16",
  F64: "F64",
  I8: "I8",
  I16: "I16",
  I32: "I32",
  I64: "I64",
};

/**
 * Values of stored bytes: floats and quantised ones as float32 (equal to gguf-py's `dequantize` bit for bit), integers as
 * int32, I64 exactly.
 * @param where Names file, tensor and offset in errors.
 * @throws WeightsError for a type without dequantisation here.
 */
export function decodeGguf(
  where: string,
  dtype: string,
  shape: readonly number[],
  bytes: Uint8Array,
): HostEntry {
  if (Object.hasOwn(PLAIN, dtype)) return decode(where, { dtype: PLAIN[dtype], shape, bytes }, true);
  if (!Object.hasOwn(BLOCKS, dtype))
    throw new WeightsError(
      `${where}: expected one of ${[...Object.keys(PLAIN), ...Object.keys(BLOCKS)].join(", ")}, got ${dtype}, which is not supported; take the model in another quantisation`,
    );
  const [, perBlock, stride] = Object.values(TYPES).find(([name]) => name === dtype)!;
  const block = BLOCKS[dtype];
  const values = new Float32Array((bytes.byteLength / stride) * perBlock);
  for (let start = 0, first = 0; start < bytes.byteLength; start += stride, first += perBlock)
    block(bytes, start, values, first);
  return { dtype: "float32", shape, values };
}
