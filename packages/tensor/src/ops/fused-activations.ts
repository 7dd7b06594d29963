import type { Tensor } from "@tensorflow/tfjs-core";
import { InputError } from "../errors.js";
import { gelu } from "../kernels/gelu/gelu.js";
import { hardSwish, leakyRelu, relu, relu6, silu } from "./activations.js";
import { sigmoid, tanh } from "./unary.js";

/** Our functions with their defaults, by the names of backends/wasm/kernels/product.ts. */
const ACTIVATIONS = {
  relu,
  relu6,
  gelu: (x: Tensor) => gelu(x),
  "gelu-tanh": (x: Tensor) => gelu(x, { approximate: "tanh" }),
  silu,
  "hard-swish": hardSwish,
  "leaky-relu": (x: Tensor) => leakyRelu(x),
  sigmoid,
  tanh,
} as const;

/**
 * An activation that a linear layer or a convolution applies to its result; `gelu-tanh` is GELU's approximation by tanh,
 * `leaky-relu` has slope 0.01.
 */
export type FusedActivation = keyof typeof ACTIVATIONS;

/** @throws InputError for an activation that is not known; undefined is none. */
export function assertFusedActivation(operation: string, activation: unknown): void {
  if (activation !== undefined && !Object.hasOwn(ACTIVATIONS, activation as string))
    throw new InputError(
      `${operation}: expected activation as one of ${Object.keys(ACTIVATIONS).join(", ")}, got ${String(activation)}; apply others to the result`,
    );
}

/** @param x `[...]` @returns `[...]` */
export function activate(x: Tensor, activation: FusedActivation): Tensor {
  return ACTIVATIONS[activation](x);
}
