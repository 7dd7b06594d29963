import {
  arcCosine,
  arcSine,
  arcTangent,
  areaHyperbolicCosine,
  areaHyperbolicSine,
  areaHyperbolicTangent,
  hyperbolicCosine,
  hyperbolicSine,
} from "./arcs";
import { cosine, sine, tangent } from "./circular";
import { errorFunction, exponential, hyperbolicTangent, logarithm, logistic } from "./math";
import { addressArgument, argument, floatArgument, forRange, setArgument, setFloatArgument } from "./threads";

// Numbers of the operations; src/backends/wasm/kernels/elementwise-table.ts has the same.
const RELU: i32 = 0;
const RELU6: i32 = 1;
const STEP: i32 = 2;
const EXP: i32 = 3;
const LOG: i32 = 4;
const TANH: i32 = 5;
const SIGMOID: i32 = 6;
const RSQRT: i32 = 7;
const SQRT: i32 = 8;
const NEG: i32 = 9;
const SQUARE: i32 = 10;
const ERF: i32 = 11;
const ABS: i32 = 12;
const RECIPROCAL: i32 = 13;
const LEAKY_RELU: i32 = 14;
const ELU: i32 = 15;
const FLOOR: i32 = 16;
const CEIL: i32 = 17;
const ROUND: i32 = 18;
const CLIP: i32 = 19;
const SOFTPLUS: i32 = 20;
const LOG1P: i32 = 21;
const EXPM1: i32 = 22;
const SIN: i32 = 23;
const COS: i32 = 24;
const TAN: i32 = 25;
const SIGN: i32 = 26;
const ASIN: i32 = 27;
const ACOS: i32 = 28;
const ATAN: i32 = 29;
const SINH: i32 = 30;
const COSH: i32 = 31;
const ASINH: i32 = 32;
const ACOSH: i32 = 33;
const ATANH: i32 = 34;

// @ts-ignore: decorator
@inline
function positivePart(x: v128): v128 {
  return v128.andnot(x, f32x4.le(x, f32x4.splat(0))); // NaN ≤ 0 is false: it stays
}

/** ln(1 + e^x) = max(x, 0) + ln(1 + e^−|x|), with what rounding took from 1 + e put back. */
// @ts-ignore: decorator
@inline
export function softplus(x: v128): v128 {
  const e = exponential(f32x4.neg(f32x4.abs(x)));
  const sum = f32x4.add(f32x4.splat(1), e);
  const lost = f32x4.sub(e, f32x4.sub(sum, f32x4.splat(1)));
  return f32x4.add(positivePart(x), f32x4.add(logarithm(sum), f32x4.div(lost, sum)));
}

/** e^x − 1; near 0 by its series: the difference would lose the digits. */
// @ts-ignore: decorator
@inline
export function exponentialMinusOne(x: v128): v128 {
  let series = f32x4.add(f32x4.mul(x, f32x4.splat(1.0 / 120.0)), f32x4.splat(1.0 / 24.0));
  series = f32x4.add(f32x4.mul(series, x), f32x4.splat(1.0 / 6.0));
  series = f32x4.add(f32x4.mul(series, x), f32x4.splat(0.5));
  series = f32x4.add(f32x4.mul(f32x4.mul(series, x), x), x);
  const minusOne = f32x4.sub(exponential(x), f32x4.splat(1));
  const value = v128.bitselect(series, minusOne, f32x4.lt(f32x4.abs(x), f32x4.splat(0.125)));
  return v128.or(value, v128.and(x, i32x4.splat(<i32>0x80000000))); // −0 stays −0
}

/** ln(1 + x): the logarithm of the rounded sum, scaled by what rounding did to x; x itself where the sum is 1. */
// @ts-ignore: decorator
@inline
function logarithmPlusOne(x: v128): v128 {
  const one = f32x4.splat(1),
    sum = f32x4.add(one, x),
    direct = logarithm(sum),
    scaled = f32x4.mul(direct, f32x4.div(x, f32x4.sub(sum, one)));
  const finite = f32x4.lt(sum, f32x4.splat(1e30));
  return v128.bitselect(x, v128.bitselect(scaled, direct, finite), f32x4.eq(sum, one));
}

/** `operation` is a constant of the caller, so that each loop is compiled for its own. */
// @ts-ignore: decorator
@inline
function apply(operation: i32, x: v128, p: v128, q: v128): v128 {
  switch (operation) {
    case RELU:
      return positivePart(x);
    case RELU6:
      return f32x4.pmin(positivePart(x), f32x4.splat(6));
    case STEP: {
      const positive = f32x4.gt(x, f32x4.splat(0));
      return v128.bitselect(x, v128.bitselect(f32x4.splat(1), p, positive), f32x4.ne(x, x));
    }
    case EXP:
      return exponential(x);
    case LOG:
      return logarithm(x);
    case TANH:
      return hyperbolicTangent(x);
    case SIGMOID:
      return logistic(x);
    case RSQRT:
      return f32x4.div(f32x4.splat(1), f32x4.sqrt(x));
    case SQRT:
      return f32x4.sqrt(x);
    case NEG:
      return f32x4.neg(x);
    case SQUARE:
      return f32x4.mul(x, x);
    case ERF:
      return errorFunction(x);
    case ABS:
      return f32x4.abs(x);
    case RECIPROCAL:
      return f32x4.div(f32x4.splat(1), x);
    case LEAKY_RELU:
      return v128.bitselect(f32x4.mul(x, p), x, f32x4.lt(x, f32x4.splat(0)));
    case ELU:
      return v128.bitselect(exponentialMinusOne(x), x, f32x4.lt(x, f32x4.splat(0)));
    case FLOOR:
      return f32x4.floor(x);
    case CEIL:
      return f32x4.ceil(x);
    case ROUND:
      return f32x4.nearest(x);
    case CLIP:
      return f32x4.pmin(f32x4.pmax(x, p), q);
    case LOG1P:
      return logarithmPlusOne(x);
    case EXPM1:
      return exponentialMinusOne(x);
    case SIN:
      return sine(x);
    case COS:
      return cosine(x);
    case TAN:
      return tangent(x);
    case SIGN: {
      const zero = f32x4.splat(0),
        one = f32x4.splat(1);
      return f32x4.sub(v128.and(one, f32x4.gt(x, zero)), v128.and(one, f32x4.lt(x, zero)));
    }
    case ASIN:
      return arcSine(x);
    case ACOS:
      return arcCosine(x);
    case ATAN:
      return arcTangent(x);
    case SINH:
      return hyperbolicSine(x);
    case COSH:
      return hyperbolicCosine(x);
    case ASINH:
      return areaHyperbolicSine(x);
    case ACOSH:
      return areaHyperbolicCosine(x);
    case ATANH:
      return areaHyperbolicTangent(x);
    default:
      return softplus(x);
  }
}

// @ts-ignore: decorator
@inline
function loop(operation: i32, x: usize, output: usize, count: i32, first: f32, second: f32): void {
  const p = f32x4.splat(first),
    q = f32x4.splat(second);
  const wide = <usize>(count & ~3) << 2,
    end = <usize>count << 2;
  let f: usize = 0;
  for (; f < wide; f += 16) v128.store(output + f, apply(operation, v128.load(x + f), p, q));
  for (; f < end; f += 4)
    store<f32>(output + f, f32x4.extract_lane(apply(operation, v128.load_splat<f32>(x + f), p, q), 0));
}

function part(from: i32, to: i32): void {
  const offset = <usize>from << 2,
    x = addressArgument(1) + offset,
    output = addressArgument(2) + offset,
    count = to - from,
    first = floatArgument(3),
    second = floatArgument(4);
  switch (argument(0)) {
    case RELU:
      return loop(RELU, x, output, count, first, second);
    case RELU6:
      return loop(RELU6, x, output, count, first, second);
    case STEP:
      return loop(STEP, x, output, count, first, second);
    case EXP:
      return loop(EXP, x, output, count, first, second);
    case LOG:
      return loop(LOG, x, output, count, first, second);
    case TANH:
      return loop(TANH, x, output, count, first, second);
    case SIGMOID:
      return loop(SIGMOID, x, output, count, first, second);
    case RSQRT:
      return loop(RSQRT, x, output, count, first, second);
    case SQRT:
      return loop(SQRT, x, output, count, first, second);
    case NEG:
      return loop(NEG, x, output, count, first, second);
    case SQUARE:
      return loop(SQUARE, x, output, count, first, second);
    case ERF:
      return loop(ERF, x, output, count, first, second);
    case ABS:
      return loop(ABS, x, output, count, first, second);
    case RECIPROCAL:
      return loop(RECIPROCAL, x, output, count, first, second);
    case LEAKY_RELU:
      return loop(LEAKY_RELU, x, output, count, first, second);
    case ELU:
      return loop(ELU, x, output, count, first, second);
    case FLOOR:
      return loop(FLOOR, x, output, count, first, second);
    case CEIL:
      return loop(CEIL, x, output, count, first, second);
    case ROUND:
      return loop(ROUND, x, output, count, first, second);
    case CLIP:
      return loop(CLIP, x, output, count, first, second);
    case LOG1P:
      return loop(LOG1P, x, output, count, first, second);
    case EXPM1:
      return loop(EXPM1, x, output, count, first, second);
    case SIN:
      return loop(SIN, x, output, count, first, second);
    case COS:
      return loop(COS, x, output, count, first, second);
    case TAN:
      return loop(TAN, x, output, count, first, second);
    case SIGN:
      return loop(SIGN, x, output, count, first, second);
    case ASIN:
      return loop(ASIN, x, output, count, first, second);
    case ACOS:
      return loop(ACOS, x, output, count, first, second);
    case ATAN:
      return loop(ATAN, x, output, count, first, second);
    case SINH:
      return loop(SINH, x, output, count, first, second);
    case COSH:
      return loop(COSH, x, output, count, first, second);
    case ASINH:
      return loop(ASINH, x, output, count, first, second);
    case ACOSH:
      return loop(ACOSH, x, output, count, first, second);
    case ATANH:
      return loop(ATANH, x, output, count, first, second);
    default:
      return loop(SOFTPLUS, x, output, count, first, second);
  }
}

/** Rough nanoseconds of an element on one thread. */
function cost(operation: i32): f32 {
  if (operation == SIGN) return 0.4;
  if (operation >= ASIN) return 6;
  if (operation >= SIN) return 4;
  if (operation == ERF || operation == ELU || operation >= SOFTPLUS) return 2;
  return operation >= EXP && operation <= SIGMOID ? 1.2 : 0.4;
}

/** `output[i] = f(x[i])`; `first` and `second` are the operation's parameters (slope, step's value, limits). */
export function unary(operation: i32, x: usize, output: usize, count: i32, first: f32, second: f32): void {
  setArgument(0, operation);
  setArgument(1, x);
  setArgument(2, output);
  setFloatArgument(3, first);
  setFloatArgument(4, second);
  forRange(part, count, 64, cost(operation));
}
