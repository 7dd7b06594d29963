// Activations that are applied to a block of a product while it is still in the cache.
import { gelu, geluTanh } from "./gelu";
import { hyperbolicTangent, logistic } from "./math";
import { loadPart, storePart } from "./partial";

/** Shift of the number of an activation among a product's flags; src/backends/wasm/kernels/product.ts has the same. */
export const ACTIVATION_SHIFT: i32 = 4;
const GELU: i32 = 1;
const GELU_TANH: i32 = 2;
const SILU: i32 = 3;
const SIGMOID: i32 = 4;
const TANH: i32 = 5;
const HARD_SWISH: i32 = 6;
const LEAKY_RELU: i32 = 7;

/** Slope of LEAKY_RELU below 0. */
const SLOPE: f32 = 0.01;

/** `activation` is a constant of the caller, so that each loop is compiled for its own. */
// @ts-ignore: decorator
@inline
function apply(activation: i32, x: v128): v128 {
  switch (activation) {
    case GELU:
      return gelu(x);
    case GELU_TANH:
      return geluTanh(x);
    case SILU:
      return f32x4.mul(x, logistic(x));
    case SIGMOID:
      return logistic(x);
    case HARD_SWISH: {
      const ramp = f32x4.pmin(f32x4.pmax(f32x4.add(x, f32x4.splat(3)), f32x4.splat(0)), f32x4.splat(6));
      return f32x4.div(f32x4.mul(x, ramp), f32x4.splat(6));
    }
    case LEAKY_RELU:
      return v128.bitselect(f32x4.mul(x, f32x4.splat(SLOPE)), x, f32x4.lt(x, f32x4.splat(0)));
    default:
      return hyperbolicTangent(x);
  }
}

// @ts-ignore: decorator
@inline
function applyAll(activation: i32, x: usize, count: i32): void {
  for (; count > 0; count -= 4) {
    storePart(x, apply(activation, loadPart(x, count)), count);
    x += 16;
  }
}

/** Applies an activation to `count` floats in place. */
export function activateRow(activation: i32, x: usize, count: i32): void {
  switch (activation) {
    case GELU:
      applyAll(GELU, x, count);
      break;
    case GELU_TANH:
      applyAll(GELU_TANH, x, count);
      break;
    case SILU:
      applyAll(SILU, x, count);
      break;
    case SIGMOID:
      applyAll(SIGMOID, x, count);
      break;
    case TANH:
      applyAll(TANH, x, count);
      break;
    case HARD_SWISH:
      applyAll(HARD_SWISH, x, count);
      break;
    case LEAKY_RELU:
      applyAll(LEAKY_RELU, x, count);
      break;
  }
}
