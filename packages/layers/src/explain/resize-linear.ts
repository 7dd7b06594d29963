/**
 * Resizes all axes but the first, each linearly between the cells' centres, as `interpolate` with mode `"bilinear"`.
 * @param values of `shape` `[batch, ...]`, row-major
 * @returns values of `[batch, ...size]`
 */
export function resizeLinear(
  values: Float32Array,
  shape: readonly number[],
  size: readonly number[],
): Float32Array<ArrayBuffer> {
  let current = Float64Array.from(values);
  const lengths = [...shape];
  size.forEach((count, index) => {
    const axis = index + 1;
    const length = lengths[axis];
    if (length === count) return;
    const inner = product(lengths.slice(axis + 1));
    const outer = product(lengths.slice(0, axis));
    const next = new Float64Array(outer * count * inner);
    for (let cell = 0; cell < count; cell++) {
      const point = Math.max(0, ((cell + 0.5) * length) / count - 0.5);
      const low = Math.min(length - 1, Math.floor(point));
      const high = Math.min(length - 1, low + 1);
      const share = point - low;
      for (let line = 0; line < outer; line++)
        for (let column = 0; column < inner; column++) {
          const first = current[(line * length + low) * inner + column];
          const second = current[(line * length + high) * inner + column];
          next[(line * count + cell) * inner + column] = first * (1 - share) + second * share;
        }
    }
    current = next;
    lengths[axis] = count;
  });
  return Float32Array.from(current);
}

function product(lengths: readonly number[]): number {
  return lengths.reduce((total, length) => total * length, 1);
}
