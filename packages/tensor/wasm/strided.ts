// Walks over several axes at once. The caller merges axes that are contiguous, so that few remain.
import { setWord, word } from "./layout";

const LENGTHS: i32 = 64;
const STRIDES_A: i32 = 72;
const STRIDES_B: i32 = 80;
const STRIDES_C: i32 = 88;
const POSITIONS: i32 = 96;

/** Sets axis `axis` of the next walk: its length and the distance of its elements in up to three tensors. */
export function setAxis(axis: i32, length: i32, strideA: i32, strideB: i32, strideC: i32): void {
  setWord(LENGTHS + axis, length);
  setWord(STRIDES_A + axis, strideA);
  setWord(STRIDES_B + axis, strideB);
  setWord(STRIDES_C + axis, strideC);
  setWord(POSITIONS + axis, 0);
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

let moveA: i32 = 0;
let moveB: i32 = 0;
let moveC: i32 = 0;

/** Steps to the next position over axes `[0, axes)`, the last fastest; false after the last. `moved…` tell how far. */
export function advance(axes: i32): bool {
  moveA = 0;
  moveB = 0;
  moveC = 0;
  for (let axis = axes - 1; axis >= 0; axis--) {
    const position = word(POSITIONS + axis) + 1;
    if (position < axisLength(axis)) {
      setWord(POSITIONS + axis, position);
      moveA += strideA(axis);
      moveB += strideB(axis);
      moveC += strideC(axis);
      return true;
    }
    setWord(POSITIONS + axis, 0);
    moveA -= (position - 1) * strideA(axis);
    moveB -= (position - 1) * strideB(axis);
    moveC -= (position - 1) * strideC(axis);
  }
  return false;
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
