import type { Tensor } from "@tensorflow/tfjs-core";
import { addGradient } from "../gradients/arithmetic.js";
import { defineKernel } from "../kernels/define-kernel.js";
import type { TensorLike } from "../tensor.js";
import { binary } from "./broadcast.js";

const addKernel = /* @__PURE__ */ defineKernel<{ a: Tensor; b: Tensor }>({ name: "Add", stock: "Add", gradient: addGradient });

/**
 * `a + b` with broadcasting.
 * @param a `[...]` @param b `[...]` that broadcasts with `a`; a number takes `a`'s dtype when it is an integer.
 * @returns the broadcast shape; float32 when one is, else int32 (bool + bool is a logical or, as in PyTorch).
 * @throws ShapeError when the shapes do not broadcast.
 */
export function add(a: TensorLike, b: TensorLike): Tensor {
  return binary("add", addKernel, a, b);
}
