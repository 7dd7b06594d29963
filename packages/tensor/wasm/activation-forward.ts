// Activations of more than one step, one pass over `x`.
import { hyperbolicTangent, logistic } from "./math";
import { loadPart, storePart } from "./partial";
import { addressArgument, argument, floatArgument, forRange, setArgument, setFloatArgument } from "./threads";
import { exponentialMinusOne, softplus } from "./unary";

// Numbers of the operations; src/backends/wasm/ops/activations.ts has the same.
const SILU: i32 = 0;
const MISH: i32 = 1;
const HARD_SWISH: i32 = 2;
const HARD_SIGMOID: i32 = 3;
const LOG_SIGMOID: i32 = 4;
const ELU: i32 = 5;
const SOFTPLUS: i32 = 7;

/** x + 3 between 0 and 6. */
// @ts-ignore: decorator
@inline
function ramp(x: v128): v128 {
  return f32x4.pmin(f32x4.pmax(f32x4.add(x, f32x4.splat(3)), f32x4.splat(0)), f32x4.splat(6));
}

/** `operation` is a constant of the caller, so that each loop is compiled for its own. */
// @ts-ignore: decorator
@inline
function apply(operation: i32, x: v128, p: v128, q: v128): v128 {
  switch (operation) {
    case SILU:
      return f32x4.mul(x, logistic(x));
    case MISH:
      return f32x4.mul(x, hyperbolicTangent(softplus(x)));
    case HARD_SWISH:
      return f32x4.div(f32x4.mul(x, ramp(x)), f32x4.splat(6));
    case HARD_SIGMOID:
      return f32x4.div(ramp(x), f32x4.splat(6));
    case LOG_SIGMOID:
      return f32x4.neg(softplus(f32x4.neg(x)));
    case ELU: // p: alpha, q: scale
      return f32x4.mul(v128.bitselect(x, f32x4.mul(exponentialMinusOne(x), p), f32x4.gt(x, f32x4.splat(0))), q);
    default: {
      // p: beta, q: threshold
      const scaled = f32x4.mul(x, p);
      return v128.bitselect(x, f32x4.div(softplus(scaled), p), f32x4.gt(scaled, q));
    }
  }
}

// @ts-ignore: decorator
@inline
function loop(operation: i32, from: i32, to: i32): void {
  const p = f32x4.splat(floatArgument(3)),
    q = f32x4.splat(floatArgument(4)),
    offset = <usize>from << 2;
  let x = addressArgument(1) + offset,
    output = addressArgument(2) + offset;
  for (let left = to - from; left > 0; left -= 4) {
    storePart(output, apply(operation, loadPart(x, left), p, q), left);
    x += 16;
    output += 16;
  }
}

function part(from: i32, to: i32): void {
  switch (argument(0)) {
    case SILU:
      return loop(SILU, from, to);
    case MISH:
      return loop(MISH, from, to);
    case HARD_SWISH:
      return loop(HARD_SWISH, from, to);
    case HARD_SIGMOID:
      return loop(HARD_SIGMOID, from, to);
    case LOG_SIGMOID:
      return loop(LOG_SIGMOID, from, to);
    case ELU:
      return loop(ELU, from, to);
    default:
      return loop(SOFTPLUS, from, to);
  }
}

/** `output[i] = f(x[i])`; `first` and `second` are the activation's parameters. */
export function activate(operation: i32, x: usize, output: usize, count: i32, first: f32, second: f32): void {
  setArgument(0, operation);
  setArgument(1, x);
  setArgument(2, output);
  setFloatArgument(3, first);
  setFloatArgument(4, second);
  const isCheap = operation == HARD_SWISH || operation == HARD_SIGMOID;
  forRange(part, count, 64, operation == MISH ? 3 : isCheap ? 0.6 : 1.5);
}
