import type { TypedArray } from "../../dtype.js";

/** A walk over a block of a row-major array: `offset + Σ index[axis]·strides[axis]`. */
export interface StridedView {
  readonly values: TypedArray;
  readonly offset: number;
  readonly strides: readonly number[];
}

/** Merges neighbouring axes over which both views step evenly, so that the inner loop is as long as it can be. */
function collapse(size: readonly number[], a: readonly number[], b: readonly number[]) {
  const sizes: number[] = [];
  const first: number[] = [];
  const second: number[] = [];
  for (let axis = 0; axis < size.length; axis++) {
    if (size[axis] === 1) continue;
    const last = sizes.length - 1;
    if (last >= 0 && first[last] === a[axis] * size[axis] && second[last] === b[axis] * size[axis]) {
      sizes[last] *= size[axis];
      first[last] = a[axis];
      second[last] = b[axis];
    } else {
      sizes.push(size[axis]);
      first.push(a[axis]);
      second.push(b[axis]);
    }
  }
  return { sizes, first, second };
}

/** Copies a block of `size` elements from one strided view into another. */
export function copyStrided(source: StridedView, target: StridedView, size: readonly number[]): void {
  if (size.some((length) => length === 0)) return;
  const { sizes, first, second } = collapse(size, source.strides, target.strides);
  const inner = sizes.length - 1;
  const length = inner < 0 ? 1 : sizes[inner];
  const sourceStep = inner < 0 ? 1 : first[inner];
  const targetStep = inner < 0 ? 1 : second[inner];
  const from = source.values;
  const to = target.values;
  const index = new Array<number>(Math.max(0, inner)).fill(0);
  let read = source.offset;
  let write = target.offset;
  for (;;) {
    if (sourceStep === 1 && targetStep === 1 && length > 8) to.set(from.subarray(read, read + length), write);
    else for (let i = 0; i < length; i++) to[write + i * targetStep] = from[read + i * sourceStep];
    let axis = inner - 1;
    for (; axis >= 0; axis--) {
      read += first[axis];
      write += second[axis];
      if (++index[axis] < sizes[axis]) break;
      read -= sizes[axis] * first[axis];
      write -= sizes[axis] * second[axis];
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}
