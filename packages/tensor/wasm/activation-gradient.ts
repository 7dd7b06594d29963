// Gradients of activations by their input, one pass over `dy` and `x`.
import { exponential, hyperbolicTangent, logistic, slopeOfTangent } from "./math";
import { loadPart, storePart } from "./partial";
import { addressArgument, argument, floatArgument, forRange, setArgument, setFloatArgument } from "./threads";
import { softplus } from "./unary";

// Numbers of the operations; src/backends/wasm/ops/activations.ts has the same.
const SILU: i32 = 0;
const MISH: i32 = 1;
const HARD_SWISH: i32 = 2;
const HARD_SIGMOID: i32 = 3;
const ELU: i32 = 5;
const LEAKY_RELU: i32 = 6;
const SOFTPLUS: i32 = 7;
const RELU6: i32 = 8;

/** `operation` is a constant of the caller, so that each loop is compiled for its own. */
// @ts-ignore: decorator
@inline
function apply(operation: i32, dy: v128, x: v128, p: v128, q: v128): v128 {
  const zero = f32x4.splat(0),
    one = f32x4.splat(1);
  switch (operation) {
    case SILU: {
      const gate = logistic(x);
      return f32x4.mul(f32x4.mul(dy, gate), f32x4.add(f32x4.mul(x, f32x4.sub(one, gate)), one));
    }
    case MISH: {
      const bend = hyperbolicTangent(softplus(x));
      return f32x4.mul(dy, f32x4.add(bend, f32x4.mul(f32x4.mul(x, logistic(x)), slopeOfTangent(bend))));
    }
    case HARD_SWISH: {
      const inside = f32x4.mul(dy, f32x4.add(f32x4.div(x, f32x4.splat(3)), f32x4.splat(0.5)));
      return v128.andnot(v128.bitselect(inside, dy, f32x4.lt(x, f32x4.splat(3))), f32x4.le(x, f32x4.splat(-3)));
    }
    case HARD_SIGMOID:
      return v128.and(f32x4.div(dy, f32x4.splat(6)), f32x4.lt(f32x4.abs(x), f32x4.splat(3)));
    case RELU6:
      return v128.andnot(dy, v128.or(f32x4.le(x, zero), f32x4.ge(x, f32x4.splat(6))));
    case ELU: // p: alpha, q: scale
      return f32x4.mul(
        v128.bitselect(f32x4.mul(f32x4.mul(dy, exponential(x)), p), dy, f32x4.le(x, zero)),
        q,
      );
    case LEAKY_RELU: // p: slope
      return v128.bitselect(dy, f32x4.mul(dy, p), f32x4.gt(x, zero));
    default: {
      // p: beta, q: threshold
      const scaled = f32x4.mul(x, p);
      return v128.bitselect(dy, f32x4.mul(dy, logistic(scaled)), f32x4.gt(scaled, q));
    }
  }
}

// @ts-ignore: decorator
@inline
function loop(operation: i32, from: i32, to: i32): void {
  const p = f32x4.splat(floatArgument(4)),
    q = f32x4.splat(floatArgument(5)),
    offset = <usize>from << 2;
  let dy = addressArgument(1) + offset,
    x = addressArgument(2) + offset,
    output = addressArgument(3) + offset;
  for (let left = to - from; left > 0; left -= 4) {
    storePart(output, apply(operation, loadPart(dy, left), loadPart(x, left), p, q), left);
    dy += 16;
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
    case RELU6:
      return loop(RELU6, from, to);
    case ELU:
      return loop(ELU, from, to);
    case LEAKY_RELU:
      return loop(LEAKY_RELU, from, to);
    default:
      return loop(SOFTPLUS, from, to);
  }
}

/** `output[i] = dy[i] · f′(x[i])`; `first` and `second` are the activation's parameters. */
export function activationGradient(
  operation: i32,
  dy: usize,
  x: usize,
  output: usize,
  count: i32,
  first: f32,
  second: f32,
): void {
  setArgument(0, operation);
  setArgument(1, dy);
  setArgument(2, x);
  setArgument(3, output);
  setFloatArgument(4, first);
  setFloatArgument(5, second);
  forRange(part, count, 64, operation == MISH ? 4 : operation == SILU || operation == ELU || operation == SOFTPLUS ? 1.5 : 0.6);
}
