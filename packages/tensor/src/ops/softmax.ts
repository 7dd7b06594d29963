import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { logSoftmaxWasm } from "../backends/wasm/ops/rows.js";
import { softmaxWebgpu } from "../backends/webgpu/kernels/softmax.js";
import { logSoftmaxGradient, softmaxGradient } from "../gradients/softmax.js";
import { defineKernel, type Kernel } from "../kernels/define-kernel.js";
import { tidy } from "../memory.js";
import { normalizeAxis } from "../shape.js";
import { sub } from "./arithmetic.js";
import {
  alias,
  assertTensor,
  NO_ATTRIBUTES,
  type NoAttributes,
  toDType,
  type UnaryInputs,
} from "./broadcast.js";
import { max, sum } from "./reduce.js";
import { reshape, transpose } from "./shape-ops.js";
import { exp, log } from "./unary.js";

/** Over the last axis. */
const softmaxKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "Softmax",
  implementations: { webgpu: (call) => softmaxWebgpu(call, "Softmax") },
  stock: {
    kernel: "Softmax",
    inputs: ({ x }) => ({ logits: x }),
    attrs: (_, { x }) => ({ dim: x.shape.length - 1 }),
  },
  saves: ["output"],
  gradient: softmaxGradient,
});

/** Over the last axis. */
const logSoftmaxKernel = /* @__PURE__ */ defineKernel<UnaryInputs, NoAttributes>({
  name: "LogSoftmax",
  implementations: {
    wasm: (call) => logSoftmaxWasm(call),
    webgpu: (call) => softmaxWebgpu(call, "LogSoftmax"),
  },
  reference: ({ x }) => {
    const shifted = sub(x, max(x, { axes: -1, keepDims: true }));
    return sub(shifted, log(sum(exp(shifted), { axes: -1, keepDims: true })));
  },
  saves: ["output"],
  gradient: logSoftmaxGradient,
});

/** Options of {@link softmax} and {@link logSoftmax}. */
export interface SoftmaxOptions {
  /** Default −1, the last. */
  readonly axis?: number;
}

function alongAxis(
  operation: string,
  kernel: Kernel<UnaryInputs, NoAttributes>,
  x: Tensor,
  options: SoftmaxOptions,
): Tensor {
  assertTensor(operation, x);
  assertOptions(operation, options, ["axis"]);
  const { axis = -1 } = options;
  const rank = Math.max(x.shape.length, 1);
  const along = normalizeAxis(operation, axis, rank);
  if (x.dtype === "float32" && x.size > 0 && x.shape.length > 0 && along === rank - 1)
    return kernel({ x }, NO_ATTRIBUTES);
  return tidy(() => {
    const scores = toDType(x, "float32");
    if (x.size === 0) return alias(scores);
    if (x.shape.length === 0) return reshape(kernel({ x: reshape(scores, [1]) }, NO_ATTRIBUTES), []);
    if (along === rank - 1) return kernel({ x: scores }, NO_ATTRIBUTES);
    const order = x.shape.map((_, index) =>
      index === along ? rank - 1 : index === rank - 1 ? along : index,
    );
    return transpose(kernel({ x: transpose(scores, order) }, NO_ATTRIBUTES), order);
  });
}

/**
 * `exp(xᵢ) / Σⱼ exp(xⱼ)` along an axis, without overflow. A row of −∞ is NaN, as in PyTorch.
 * @param x `[...]`, scores @returns `[...]`, float32: positive, with sum 1 along the axis.
 * @throws InputError for an axis out of range.
 * @example
 * const probabilities = softmax(logits); // [batch, classes]
 */
export function softmax(x: Tensor, options: SoftmaxOptions = {}): Tensor {
  return alongAxis("softmax", softmaxKernel, x, options);
}

/**
 * `ln(softmax(x))` along an axis, without underflow. A row of −∞ is NaN, as in PyTorch.
 * @param x `[...]`, scores @returns `[...]`, float32: at most 0.
 * @throws InputError for an axis out of range.
 */
export function logSoftmax(x: Tensor, options: SoftmaxOptions = {}): Tensor {
  return alongAxis("logSoftmax", logSoftmaxKernel, x, options);
}
