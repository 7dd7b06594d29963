// Walks over several axes at once. The caller merges axes that are contiguous, so that few remain. Lengths and strides lie
// in shared memory; where a thread stands in the walk is its own, so that each can walk a part.
import { scratch, setWord, word } from "./layout";

const LENGTHS: i32 = 64;
const STRIDES_A: i32 = 72;
const STRIDES_B: i32 = 80;
const STRIDES_C: i32 = 88;
/** Where this thread stands: eight words at the end of its working memory of 256 KiB. */
const POSITIONS: usize = 262144 - 64;

/** Sets axis `axis` of the next walk: its length and the distance of its elements in up to three tensors. */
export function setAxis(axis: i32, length: i32, strideA: i32, strideB: i32, strideC: i32): void {
  setWord(LENGTHS + axis, length);
  setWord(STRIDES_A + axis, strideA);
  setWord(STRIDES_B + axis, strideB);
  setWord(STRIDES_C + axis, strideC);
}

// @ts-ignore: decorator
@inline
export function axisLength(axis: i32): i32 {
  return word(LENGTHS + axis);
}

// @ts-ignore: decorator
@inline
export function strideA(axis: i32): i32 {
  return word(STRIDES_A + axis);
}

// @ts-ignore: decorator
@inline
export function strideB(axis: i32): i32 {
  return word(STRIDES_B + axis);
}

// @ts-ignore: decorator
@inline
export function strideC(axis: i32): i32 {
  return word(STRIDES_C + axis);
}

/** Positions of axes `[0, axes)` together: the product of their lengths. */
export function walkLength(axes: i32): i32 {
  let count = 1;
  for (let axis = 0; axis < axes; axis++) count *= axisLength(axis);
  return count;
}

let moveA: i32 = 0;
let moveB: i32 = 0;
let moveC: i32 = 0;

/** Goes from the start to position `index` over axes `[0, axes)`, the last fastest. `moved…` tell how far. */
export function seek(axes: i32, index: i32): void {
  moveA = 0;
  moveB = 0;
  moveC = 0;
  const positions = scratch() + POSITIONS;
  for (let axis = axes - 1; axis >= 0; axis--) {
    const length = axisLength(axis),
      outer = index / length,
      position = index - outer * length;
    store<i32>(positions + (<usize>axis << 2), position);
    moveA += position * strideA(axis);
    moveB += position * strideB(axis);
    moveC += position * strideC(axis);
    index = outer;
  }
}

/** Steps to the next position over axes `[0, axes)`, the last fastest; back to the start after the last. `moved…` tell how far. */
export function advance(axes: i32): void {
  moveA = 0;
  moveB = 0;
  moveC = 0;
  const positions = scratch() + POSITIONS;
  for (let axis = axes - 1; axis >= 0; axis--) {
    const place = positions + (<usize>axis << 2),
      position = load<i32>(place) + 1;
    if (position < axisLength(axis)) {
      store<i32>(place, position);
      moveA += strideA(axis);
      moveB += strideB(axis);
      moveC += strideC(axis);
      return;
    }
    store<i32>(place, 0);
    moveA -= (position - 1) * strideA(axis);
    moveB -= (position - 1) * strideB(axis);
    moveC -= (position - 1) * strideC(axis);
  }
}

// @ts-ignore: decorator
@inline
export function movedA(): i32 {
  return moveA;
}

// @ts-ignore: decorator
@inline
export function movedB(): i32 {
  return moveB;
}

// @ts-ignore: decorator
@inline
export function movedC(): i32 {
  return moveC;
}
