import { arcTangent2 } from "./arcs";
import { scratch } from "./layout";
import { floorDivide, power, remainder } from "./power";
import { advance, axisLength, movedA, movedB, seek, strideA, strideB, walkLength } from "./strided";
import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Time of an element on one thread, roughly. */
const NANOSECONDS: f32 = 0.5;
const POWER_NANOSECONDS: f32 = 6;

// @ts-ignore: decorator
@inline
function nanoseconds(operation: i32): f32 {
  return operation >= POWER ? POWER_NANOSECONDS : NANOSECONDS;
}

// Numbers of the operations; src/backends/wasm/kernels/elementwise.ts has the same.
const ADD: i32 = 0;
const SUB: i32 = 1;
const MUL: i32 = 2;
const DIV: i32 = 3;
const MAXIMUM: i32 = 4;
const MINIMUM: i32 = 5;
const SQUARED_DIFFERENCE: i32 = 6;
const RELU_GRADIENT: i32 = 7;
const SIGMOID_GRADIENT: i32 = 8;
const TANH_GRADIENT: i32 = 9;
const POWER: i32 = 10;
const FLOOR_DIVIDE: i32 = 11;
const REMAINDER: i32 = 12;
const ATAN2: i32 = 13;
const EQUAL: i32 = 0;
const NOT_EQUAL: i32 = 1;
const LESS: i32 = 2;
const LESS_EQUAL: i32 = 3;
const GREATER: i32 = 4;
const GREATER_EQUAL: i32 = 5;
/** The same comparisons of int32 have this number more. */
const INTEGERS: i32 = 6;

// @ts-ignore: decorator
@inline
function apply(operation: i32, a: v128, b: v128): v128 {
  switch (operation) {
    case ADD:
      return f32x4.add(a, b);
    case SUB:
      return f32x4.sub(a, b);
    case MUL:
      return f32x4.mul(a, b);
    case DIV:
      return f32x4.div(a, b);
    case MAXIMUM:
      return f32x4.max(a, b);
    case MINIMUM:
      return f32x4.min(a, b);
    case SQUARED_DIFFERENCE: {
      const difference = f32x4.sub(a, b);
      return f32x4.mul(difference, difference);
    }
    case RELU_GRADIENT: // a: gradient, b: input or output
      return v128.andnot(a, f32x4.le(b, f32x4.splat(0)));
    case SIGMOID_GRADIENT: // a: gradient, b: output
      return f32x4.mul(a, f32x4.mul(b, f32x4.sub(f32x4.splat(1), b)));
    case POWER:
      return power(a, b);
    case ATAN2:
      return arcTangent2(a, b);
    default: // TANH_GRADIENT, likewise
      return f32x4.mul(a, f32x4.sub(f32x4.splat(1), f32x4.mul(b, b)));
  }
}

/** One run: `moveA` and `moveB` are 1 where the operand advances, 0 where it is one value. */
// @ts-ignore: decorator
@inline
function loop(operation: i32, a: usize, b: usize, output: usize, count: i32, moveA: bool, moveB: bool): void {
  const wide = <usize>(count & ~3) << 2,
    end = <usize>count << 2;
  const oneA = v128.load_splat<f32>(a),
    oneB = v128.load_splat<f32>(b);
  let f: usize = 0;
  for (; f < wide; f += 16)
    v128.store(output + f, apply(operation, moveA ? v128.load(a + f) : oneA, moveB ? v128.load(b + f) : oneB));
  for (; f < end; f += 4)
    store<f32>(
      output + f,
      f32x4.extract_lane(
        apply(operation, moveA ? v128.load_splat<f32>(a + f) : oneA, moveB ? v128.load_splat<f32>(b + f) : oneB),
        0,
      ),
    );
}

// @ts-ignore: decorator
@inline
function run(operation: i32, a: usize, b: usize, output: usize, count: i32, moveA: i32, moveB: i32): void {
  if (moveA && moveB) loop(operation, a, b, output, count, true, true);
  else if (moveA) loop(operation, a, b, output, count, true, false);
  else if (moveB) loop(operation, a, b, output, count, false, true);
  else loop(operation, a, b, output, count, false, false);
}

/** Whole quotients and what they leave, one by one. */
function divide(operation: i32, a: usize, b: usize, output: usize, count: i32, moveA: i32, moveB: i32): void {
  for (let i = 0; i < count; i++) {
    const x = load<f32>(a + (<usize>(i * moveA) << 2)),
      y = load<f32>(b + (<usize>(i * moveB) << 2));
    store<f32>(output + (<usize>i << 2), operation == REMAINDER ? remainder(x, y) : floorDivide(x, y));
  }
}

function operate(operation: i32, a: usize, b: usize, output: usize, count: i32, moveA: i32, moveB: i32): void {
  switch (operation) {
    case ADD:
      return run(ADD, a, b, output, count, moveA, moveB);
    case SUB:
      return run(SUB, a, b, output, count, moveA, moveB);
    case MUL:
      return run(MUL, a, b, output, count, moveA, moveB);
    case DIV:
      return run(DIV, a, b, output, count, moveA, moveB);
    case MAXIMUM:
      return run(MAXIMUM, a, b, output, count, moveA, moveB);
    case MINIMUM:
      return run(MINIMUM, a, b, output, count, moveA, moveB);
    case SQUARED_DIFFERENCE:
      return run(SQUARED_DIFFERENCE, a, b, output, count, moveA, moveB);
    case RELU_GRADIENT:
      return run(RELU_GRADIENT, a, b, output, count, moveA, moveB);
    case SIGMOID_GRADIENT:
      return run(SIGMOID_GRADIENT, a, b, output, count, moveA, moveB);
    case POWER:
      return run(POWER, a, b, output, count, moveA, moveB);
    case ATAN2:
      return run(ATAN2, a, b, output, count, moveA, moveB);
    case FLOOR_DIVIDE:
    case REMAINDER:
      return divide(operation, a, b, output, count, moveA, moveB);
    default:
      return run(TANH_GRADIENT, a, b, output, count, moveA, moveB);
  }
}

/** Hands a job its operation, its three tensors and the number of axes it walks over. */
function setOperands(operation: i32, a: usize, b: usize, output: usize, axes: i32): void {
  setArgument(0, operation);
  setArgument(1, a);
  setArgument(2, b);
  setArgument(3, output);
  setArgument(4, axes);
}

function binaryPart(from: i32, to: i32): void {
  const moveA = argument(4),
    moveB = argument(5);
  operate(
    argument(0),
    addressArgument(1) + (<usize>(from * moveA) << 2),
    addressArgument(2) + (<usize>(from * moveB) << 2),
    addressArgument(3) + (<usize>from << 2),
    to - from,
    moveA,
    moveB,
  );
}

/** One run of `count` elements: `output[i] = a[i · moveA] ∘ b[i · moveB]`, each move 0 or 1. */
export function binary(operation: i32, a: usize, b: usize, output: usize, count: i32, moveA: i32, moveB: i32): void {
  setOperands(operation, a, b, output, moveA);
  setArgument(5, moveB);
  forRange(binaryPart, count, 64, nanoseconds(operation));
}

/** Floats of a row below which a call a row costs more than the row. */
const SHORT: i32 = 256;

/** Rows of `a ∘ b` where one short row `b` meets every row of `a`, such as a bias: `b` is written out many times first. */
function repeatRow(from: i32, to: i32): void {
  const operation = argument(0),
    count = axisLength(1),
    copies = min(to - from, 4 * SHORT / count),
    bytes = <usize>count << 2,
    row = scratch(),
    offset = <usize>(from * count) << 2;
  let a = addressArgument(1) + offset,
    output = addressArgument(3) + offset;
  for (let i = 0; i < copies; i++) memory.copy(row + <usize>i * bytes, addressArgument(2), bytes);
  for (let done = from; done < to; done += copies) {
    const length = min(copies, to - done) * count;
    operate(operation, a, row, output, length, 1, 1);
    a += <usize>length << 2;
    output += <usize>length << 2;
  }
}

function broadcastPart(from: i32, to: i32): void {
  const operation = argument(0),
    last = argument(4) - 1,
    count = axisLength(last),
    moveA = strideA(last),
    moveB = strideB(last);
  let a = addressArgument(1),
    b = addressArgument(2),
    output = addressArgument(3) + (<usize>from << 2),
    start = from % count;
  seek(last, from / count);
  while (true) {
    a += <usize>(movedA() << 2);
    b += <usize>(movedB() << 2);
    const length = min(count - start, to - from);
    operate(
      operation,
      a + (<usize>(start * moveA) << 2),
      b + (<usize>(start * moveB) << 2),
      output,
      length,
      moveA,
      moveB,
    );
    from += length;
    if (from >= to) return;
    output += <usize>length << 2;
    start = 0;
    advance(last);
  }
}

/** The same over `axes` axes set by `setAxis`; strides of the last are 0 or 1. The output is contiguous. */
export function binaryBroadcast(operation: i32, a: usize, b: usize, output: usize, axes: i32): void {
  setOperands(operation, a, b, output, axes);
  const last = axes - 1,
    count = axisLength(last),
    rowOnRows = axes == 2 && strideA(1) == 1 && strideB(1) == 1 && strideA(0) == count && strideB(0) == 0;
  if (rowOnRows && count < SHORT) forRange(repeatRow, axisLength(0), 1, nanoseconds(operation) * <f32>count);
  else forRange(broadcastPart, walkLength(axes), 64, nanoseconds(operation));
}

// @ts-ignore: decorator
@inline
function compareFour(operation: i32, a: v128, b: v128): v128 {
  switch (operation) {
    case EQUAL:
      return f32x4.eq(a, b);
    case NOT_EQUAL:
      return f32x4.ne(a, b);
    case LESS:
      return f32x4.lt(a, b);
    case LESS_EQUAL:
      return f32x4.le(a, b);
    case GREATER:
      return f32x4.gt(a, b);
    case GREATER_EQUAL:
      return f32x4.ge(a, b);
    case EQUAL + INTEGERS:
      return i32x4.eq(a, b);
    case NOT_EQUAL + INTEGERS:
      return i32x4.ne(a, b);
    case LESS + INTEGERS:
      return i32x4.lt_s(a, b);
    case LESS_EQUAL + INTEGERS:
      return i32x4.le_s(a, b);
    case GREATER + INTEGERS:
      return i32x4.gt_s(a, b);
    default:
      return i32x4.ge_s(a, b);
  }
}

function compareRun(operation: i32, a: usize, b: usize, output: usize, count: i32, moveA: i32, moveB: i32): void {
  const oneA = v128.load_splat<f32>(a),
    oneB = v128.load_splat<f32>(b);
  const ones = i32x4.splat(1);
  let f: usize = 0,
    i: usize = 0;
  for (; i + 4 <= <usize>count; i += 4) {
    const mask = v128.and(compareFour(operation, moveA ? v128.load(a + f) : oneA, moveB ? v128.load(b + f) : oneB), ones);
    const bytes = v128.shuffle<i8>(mask, mask, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
    store<i32>(output + i, i32x4.extract_lane(bytes, 0));
    f += 16;
  }
  for (; i < <usize>count; i++) {
    const mask = compareFour(
      operation,
      moveA ? v128.load_splat<f32>(a + f) : oneA,
      moveB ? v128.load_splat<f32>(b + f) : oneB,
    );
    store<u8>(output + i, i32x4.extract_lane(mask, 0) ? 1 : 0);
    f += 4;
  }
}

function comparePart(from: i32, to: i32): void {
  const operation = argument(0),
    last = argument(4) - 1,
    count = axisLength(last),
    moveA = strideA(last),
    moveB = strideB(last);
  let a = addressArgument(1),
    b = addressArgument(2),
    output = addressArgument(3) + <usize>from,
    start = from % count;
  seek(last, from / count);
  while (true) {
    a += <usize>(movedA() << 2);
    b += <usize>(movedB() << 2);
    const length = min(count - start, to - from);
    compareRun(
      operation,
      a + (<usize>(start * moveA) << 2),
      b + (<usize>(start * moveB) << 2),
      output,
      length,
      moveA,
      moveB,
    );
    from += length;
    if (from >= to) return;
    output += <usize>length;
    start = 0;
    advance(last);
  }
}

/** Comparisons of floats, or of int32, over `axes` axes, one byte a result. */
export function compareBroadcast(operation: i32, a: usize, b: usize, output: usize, axes: i32): void {
  setOperands(operation, a, b, output, axes);
  forRange(comparePart, walkLength(axes), 64, NANOSECONDS);
}
