const floats = new Float32Array(1);
const bits = new Uint32Array(floats.buffer);

/** A float16 bit pattern as a number; exact. */
export function fromFloat16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0x1f) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** Every float16 as a number; made at first use. */
let halves: Float32Array | undefined;

/** float16 bit patterns as numbers; exact. */
export function fromFloat16s(words: Uint16Array): Float32Array {
  halves ??= Float32Array.from({ length: 2 ** 16 }, (_, half) => fromFloat16(half));
  const values = new Float32Array(words.length);
  for (let index = 0; index < words.length; index++) values[index] = halves[words[index]];
  return values;
}

/** The float16 bit pattern nearest to a float32, ties to even; beyond 65504 infinity, NaN stays NaN. */
export function toFloat16(value: number): number {
  floats[0] = value;
  const sign = (bits[0] >>> 16) & 0x8000;
  const size = bits[0] & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7e00;
  if (size >= 0x477ff000) return sign | 0x7c00; // 65520 and above round to infinity
  if (size < 0x38800000) {
    // below 2⁻¹⁴ results are multiples of 2⁻²⁴: adding ½ rounds to one (½ has 2⁻²⁴ as its last bit)
    floats[0] = Math.abs(floats[0]) + 0.5;
    return sign | (bits[0] - 0x3f000000);
  }
  const odd = (size >>> 13) & 1;
  return sign | ((size - 0x38000000 + 0xfff + odd) >>> 13);
}

/** bfloat16 bit patterns as numbers; exact. */
export function fromBfloat16s(words: Uint16Array): Float32Array {
  const values = new Float32Array(words.length);
  const patterns = new Uint32Array(values.buffer);
  for (let index = 0; index < words.length; index++) patterns[index] = words[index] << 16;
  return values;
}

/** The bfloat16 bit pattern nearest to a float32, ties to even; NaN stays NaN. */
export function toBfloat16(value: number): number {
  floats[0] = value;
  if ((bits[0] & 0x7fffffff) > 0x7f800000) return ((bits[0] >>> 16) & 0x8000) | 0x7fc0;
  return (bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) >>> 16;
}
