// Elementwise functions of int32, which wrap. A division by 0 gives 0.
import { advance, axisLength, movedA, movedB, seek, strideA, strideB, walkLength } from "./strided";
import { addressArgument, argument, forRange, setArgument } from "./threads";

// Numbers of the operations; src/backends/wasm/kernels/elementwise.ts has the same.
const ADD: i32 = 0;
const SUB: i32 = 1;
const MUL: i32 = 2;
const MAXIMUM: i32 = 4;
const MINIMUM: i32 = 5;
const POWER: i32 = 10;
const FLOOR_DIVIDE: i32 = 11;
// Those of wasm/unary.ts.
const RELU: i32 = 0;
const RELU6: i32 = 1;
const NEG: i32 = 9;
const ABS: i32 = 12;
const CLIP: i32 = 19;

// @ts-ignore: decorator
@inline
function four(operation: i32, a: v128, b: v128): v128 {
  switch (operation) {
    case ADD:
      return i32x4.add(a, b);
    case SUB:
      return i32x4.sub(a, b);
    case MUL:
      return i32x4.mul(a, b);
    case MAXIMUM:
      return i32x4.max_s(a, b);
    default:
      return i32x4.min_s(a, b);
  }
}

// @ts-ignore: decorator
@inline
function loop(operation: i32, a: usize, b: usize, output: usize, count: i32, moveA: i32, moveB: i32): void {
  const oneA = v128.load_splat<i32>(a),
    oneB = v128.load_splat<i32>(b);
  const wide = <usize>(count & ~3) << 2,
    end = <usize>count << 2;
  let f: usize = 0;
  for (; f < wide; f += 16)
    v128.store(output + f, four(operation, moveA ? v128.load(a + f) : oneA, moveB ? v128.load(b + f) : oneB));
  for (; f < end; f += 4) {
    const value = four(
      operation,
      moveA ? v128.load_splat<i32>(a + f) : oneA,
      moveB ? v128.load_splat<i32>(b + f) : oneB,
    );
    store<i32>(output + f, i32x4.extract_lane(value, 0));
  }
}

/** By squaring; a negative power is 0 unless the base is 1 or −1. */
function power(a: i32, b: i32): i32 {
  if (b < 0) return a == 1 ? 1 : a == -1 ? 1 - ((b & 1) << 1) : 0;
  let result = 1;
  for (; b > 0; b >>= 1) {
    if (b & 1) result *= a;
    a *= a;
  }
  return result;
}

/** The quotient rounded down. */
// @ts-ignore: decorator
@inline
function floorDivide(a: i32, b: i32): i32 {
  // −2³¹ / −1 would trap
  if (b == 0 || b == -1) return b * a;
  const quotient = a / b;
  return quotient * b != a && (a ^ b) < 0 ? quotient - 1 : quotient;
}

// @ts-ignore: decorator
@inline
function one(operation: i32, a: i32, b: i32): i32 {
  if (operation == POWER) return power(a, b);
  const quotient = floorDivide(a, b);
  if (operation == FLOOR_DIVIDE) return quotient;
  return b == 0 ? 0 : a - quotient * b;
}

function run(operation: i32, a: usize, b: usize, output: usize, count: i32, moveA: i32, moveB: i32): void {
  switch (operation) {
    case ADD:
      return loop(ADD, a, b, output, count, moveA, moveB);
    case SUB:
      return loop(SUB, a, b, output, count, moveA, moveB);
    case MUL:
      return loop(MUL, a, b, output, count, moveA, moveB);
    case MAXIMUM:
      return loop(MAXIMUM, a, b, output, count, moveA, moveB);
    case MINIMUM:
      return loop(MINIMUM, a, b, output, count, moveA, moveB);
  }
  for (let i = 0; i < count; i++) {
    const x = load<i32>(a + (<usize>(i * moveA) << 2)),
      y = load<i32>(b + (<usize>(i * moveB) << 2));
    store<i32>(output + (<usize>i << 2), one(operation, x, y));
  }
}

function binaryPart(from: i32, to: i32): void {
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
    run(
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

/** Functions of two int32 over `axes` axes; strides of the last are 0 or 1. The output is contiguous. */
export function integerBroadcast(operation: i32, a: usize, b: usize, output: usize, axes: i32): void {
  setArgument(0, operation);
  setArgument(1, a);
  setArgument(2, b);
  setArgument(3, output);
  setArgument(4, axes);
  forRange(binaryPart, walkLength(axes), 64, operation >= POWER ? 4 : 0.5);
}

function unaryPart(from: i32, to: i32): void {
  const operation = argument(0),
    low = argument(3),
    high = argument(4);
  for (let f = <usize>from << 2; f < <usize>to << 2; f += 4) {
    const x = load<i32>(addressArgument(1) + f);
    let value: i32;
    if (operation == NEG) value = -x;
    else if (operation == ABS) value = x < 0 ? -x : x;
    else if (operation == RELU) value = max(x, 0);
    else if (operation == RELU6) value = min(max(x, 0), 6);
    else if (operation == CLIP) value = min(max(x, low), high);
    else value = <i32>(x > 0) - <i32>(x < 0);
    store<i32>(addressArgument(2) + f, value);
  }
}

/** `−x`, `|x|`, the sign or positive part of x, or x between `low` and `high`: the numbers are those of `unary`. */
export function integerUnary(operation: i32, x: usize, output: usize, count: i32, low: i32, high: i32): void {
  setArgument(0, operation);
  setArgument(1, x);
  setArgument(2, output);
  setArgument(3, low);
  setArgument(4, high);
  forRange(unaryPart, count, 64, 0.5);
}
