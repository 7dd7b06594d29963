import type { Tensor } from "@tensorflow/tfjs-core";
import { add, mul } from "../../ops/arithmetic.js";
import { erf, exp, neg, sigmoid, square } from "../../ops/unary.js";
import type { GeluAttributes, GeluInputs } from "./gelu.js";

const TANH_SCALE = Math.sqrt(2 / Math.PI);
const TANH_CUBIC = 0.044715; // Hendrycks and Gimpel, section 2

/** GELU by plain ops. @param x `[...]` @returns `[...]` */
export function geluReference({ x }: GeluInputs, { approximate }: GeluAttributes): Tensor {
  return mul(x, approximate === "none" ? normalCdf(x) : sigmoid(twiceTanhArgument(x)));
}

/** `dy` times the derivative of GELU, by plain ops. @param dy `[...]` @param x `[...]` @returns `[...]` */
export function geluGradientReference(
  { dy, x }: { dy: Tensor; x: Tensor },
  { approximate }: GeluAttributes,
): Tensor {
  if (approximate === "none") {
    const density = mul(exp(mul(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return mul(dy, add(normalCdf(x), mul(x, density)));
  }
  const twice = twiceTanhArgument(x);
  const slope = mul(add(mul(square(x), 3 * TANH_CUBIC), 1), 2 * TANH_SCALE); // derivative of `twice`
  const density = mul(mul(sigmoid(twice), sigmoid(neg(twice))), slope);
  return mul(dy, add(sigmoid(twice), mul(x, density)));
}

function normalCdf(x: Tensor): Tensor {
  return mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);
}

/** `2u` of `½(1 + tanh u) = σ(2u)`: the sigmoid keeps the digits that `1 + tanh` loses below 0. */
function twiceTanhArgument(x: Tensor): Tensor {
  return mul(mul(x, add(mul(square(x), TANH_CUBIC), 1)), 2 * TANH_SCALE);
}
