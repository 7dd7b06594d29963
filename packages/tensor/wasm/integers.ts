// int32 and truth values: reductions, tests of floats, logic and one-hot rows.
import { addressArgument, argument, forRange, setArgument } from "./threads";

// Numbers of the operations; src/backends/wasm/kernels/integers.ts has the same.
const SUM: i32 = 0;
const MAX: i32 = 1;
const MIN: i32 = 2;
const PRODUCT: i32 = 3;

// @ts-ignore: decorator
@inline
function combine(operation: i32, a: i32, b: i32): i32 {
  if (operation == SUM) return a + b;
  if (operation == PRODUCT) return a * b;
  return operation == MAX ? max(a, b) : min(a, b);
}

function integersPart(from: i32, to: i32): void {
  const operation = argument(0),
    length = argument(3),
    inner = argument(4);
  for (; from < to; from++) {
    const block = from / inner;
    let x = addressArgument(1) + (<usize>(block * length * inner + (from - block * inner)) << 2),
      value = load<i32>(x);
    for (let i = 1; i < length; i++) {
      x += <usize>inner << 2;
      value = combine(operation, value, load<i32>(x));
    }
    store<i32>(addressArgument(2) + (<usize>from << 2), value);
  }
}

/** Sum, largest, smallest or product along the middle axis of int32 `[outer, length, inner]`; sums and products wrap. */
export function reduceIntegers(operation: i32, x: usize, output: usize, outer: i32, length: i32, inner: i32): void {
  setArgument(0, operation);
  setArgument(1, x);
  setArgument(2, output);
  setArgument(3, length);
  setArgument(4, inner);
  forRange(integersPart, outer * inner, 16, 2 + <f32>length);
}

function truthPart(from: i32, to: i32): void {
  const all = argument(0),
    length = argument(3),
    inner = <usize>argument(4);
  for (; from < to; from++) {
    const block = <usize>from / inner;
    let x = addressArgument(1) + block * <usize>length * inner + (<usize>from - block * inner),
      value = all;
    for (let i = 0; i < length; i++) {
      if ((load<u8>(x) != 0) != (all != 0)) {
        value = all ^ 1;
        break;
      }
      x += inner;
    }
    store<u8>(addressArgument(2) + <usize>from, value);
  }
}

/** Whether all, or else any, of the middle axis of truth values `[outer, length, inner]` are true. */
export function reduceTruth(all: i32, x: usize, output: usize, outer: i32, length: i32, inner: i32): void {
  setArgument(0, all);
  setArgument(1, x);
  setArgument(2, output);
  setArgument(3, length);
  setArgument(4, inner);
  forRange(truthPart, outer * inner, 64, 2 + <f32>length);
}

// Tests of floats.
const IS_NAN: i32 = 0;
const IS_INFINITE: i32 = 1;

function testPart(from: i32, to: i32): void {
  const operation = argument(0),
    x = addressArgument(1),
    output = addressArgument(2);
  for (let i = <usize>from; i < <usize>to; i++) {
    const magnitude = load<u32>(x + (i << 2)) & 0x7fffffff;
    let holds: bool;
    if (operation == IS_NAN) holds = magnitude > 0x7f800000;
    else if (operation == IS_INFINITE) holds = magnitude == 0x7f800000;
    else holds = magnitude < 0x7f800000;
    store<u8>(output + i, holds);
  }
}

/** Which floats are NaN, infinite or finite. */
export function testFloats(operation: i32, x: usize, output: usize, count: i32): void {
  setArgument(0, operation);
  setArgument(1, x);
  setArgument(2, output);
  forRange(testPart, count, 64, 0.8);
}

// Logic on truth values: false is below true.
const AND: i32 = 0;
const OR: i32 = 1;
const NOT: i32 = 2;
const EQUAL: i32 = 3;
const NOT_EQUAL: i32 = 4;
const LESS: i32 = 5;
const LESS_EQUAL: i32 = 6;
const GREATER: i32 = 7;

/** Of 16 truth values, as masks. */
// @ts-ignore: decorator
@inline
function combineTruth(operation: i32, x: v128, y: v128): v128 {
  switch (operation) {
    case AND:
      return v128.and(x, y);
    case OR:
      return v128.or(x, y);
    case NOT:
      return v128.not(x);
    case EQUAL:
      return v128.not(v128.xor(x, y));
    case NOT_EQUAL:
      return v128.xor(x, y);
    case LESS:
      return v128.andnot(y, x);
    case LESS_EQUAL:
      return v128.or(y, v128.not(x));
    case GREATER:
      return v128.andnot(x, y);
    default:
      return v128.or(x, v128.not(y));
  }
}

// @ts-ignore: decorator
@inline
function logicRun(operation: i32, from: i32, to: i32): void {
  const a = addressArgument(1),
    b = addressArgument(2),
    output = addressArgument(3),
    zero = i8x16.splat(0),
    one = i8x16.splat(1);
  let i = <usize>from;
  for (; i + 16 <= <usize>to; i += 16) {
    const x = i8x16.ne(v128.load(a + i), zero),
      y = i8x16.ne(v128.load(b + i), zero);
    v128.store(output + i, v128.and(combineTruth(operation, x, y), one));
  }
  for (; i < <usize>to; i++) {
    const x = i8x16.ne(v128.load8_splat(a + i), zero),
      y = i8x16.ne(v128.load8_splat(b + i), zero);
    store<u8>(output + i, i8x16.extract_lane_u(v128.and(combineTruth(operation, x, y), one), 0));
  }
}

function logicPart(from: i32, to: i32): void {
  switch (argument(0)) {
    case AND:
      return logicRun(AND, from, to);
    case OR:
      return logicRun(OR, from, to);
    case NOT:
      return logicRun(NOT, from, to);
    case EQUAL:
      return logicRun(EQUAL, from, to);
    case NOT_EQUAL:
      return logicRun(NOT_EQUAL, from, to);
    case LESS:
      return logicRun(LESS, from, to);
    case LESS_EQUAL:
      return logicRun(LESS_EQUAL, from, to);
    case GREATER:
      return logicRun(GREATER, from, to);
    default:
      return logicRun(-1, from, to);
  }
}

/** `a` and `b`, `a` or `b`, not `a`, or a comparison of `count` truth values. */
export function logic(operation: i32, a: usize, b: usize, output: usize, count: i32): void {
  setArgument(0, operation);
  setArgument(1, a);
  setArgument(2, b);
  setArgument(3, output);
  forRange(logicPart, count, 64, 0.1);
}

function selectTruthPart(from: i32, to: i32): void {
  const condition = addressArgument(0),
    a = addressArgument(1),
    b = addressArgument(2),
    output = addressArgument(3);
  let i = <usize>from;
  for (; i + 16 <= <usize>to; i += 16) {
    const mask = i8x16.ne(v128.load(condition + i), i8x16.splat(0));
    v128.store(output + i, v128.bitselect(v128.load(a + i), v128.load(b + i), mask));
  }
  for (; i < <usize>to; i++) store<u8>(output + i, load<u8>(load<u8>(condition + i) ? a + i : b + i));
}

/** `condition ? a : b` of `count` truth values. */
export function selectTruth(condition: usize, a: usize, b: usize, output: usize, count: i32): void {
  setArgument(0, condition);
  setArgument(1, a);
  setArgument(2, b);
  setArgument(3, output);
  forRange(selectTruthPart, count, 64, 0.1);
}

function oneHotPart(from: i32, to: i32): void {
  const depth = argument(2),
    size = argument(3),
    row = <usize>(depth * size);
  memory.fill(addressArgument(1) + <usize>from * row, 0, <usize>(to - from) * row);
  for (; from < to; from++) {
    const index = load<i32>(addressArgument(0) + (<usize>from << 2));
    if (index < 0 || index >= depth) continue;
    const place = addressArgument(1) + <usize>from * row + <usize>(index * size);
    if (size == 1) store<u8>(place, 1);
    else store<i32>(place, argument(4));
  }
}

/** `[count, depth]` with the bits of `one` at each index and 0 elsewhere; `size` bytes an element. */
export function oneHot(indices: usize, output: usize, count: i32, depth: i32, size: i32, one: i32): void {
  setArgument(0, indices);
  setArgument(1, output);
  setArgument(2, depth);
  setArgument(3, size);
  setArgument(4, one);
  forRange(oneHotPart, count, 16, 3 + 0.1 * <f32>(depth * size));
}

function flattenPart(from: i32, to: i32): void {
  const depth = argument(2),
    dims = addressArgument(3);
  for (; from < to; from++) {
    const row = addressArgument(0) + (<usize>(from * depth) << 2);
    let position = 0;
    for (let axis: usize = 0; axis < <usize>depth; axis++)
      position = position * load<i32>(dims + (axis << 2)) + load<i32>(row + (axis << 2));
    store<i32>(addressArgument(1) + (<usize>from << 2), position);
  }
}

/** Coordinates `[count, depth]` as positions in a tensor whose sizes stand at `dims`. */
export function flattenIndices(indices: usize, output: usize, count: i32, depth: i32, dims: usize): void {
  setArgument(0, indices);
  setArgument(1, output);
  setArgument(2, depth);
  setArgument(3, dims);
  forRange(flattenPart, count, 16, 1 + 2 * <f32>depth);
}
