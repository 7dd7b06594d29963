import type { Tensor } from "@tensorflow/tfjs-core";
import {
  avgPoolBackpropOnHost,
  avgPoolOnHost,
  maxPoolBackpropOnHost,
  maxPoolIndicesOnHost,
  maxPoolOnHost,
} from "../backends/host/pool.js";
import {
  avgPoolBackpropWasm,
  avgPoolWasm,
  maxPoolBackpropWasm,
  maxPoolIndicesWasm,
  maxPoolWasm,
} from "../backends/wasm/ops/pool.js";
import {
  avgPoolBackpropWebgpu,
  avgPoolWebgpu,
  maxPoolBackpropWebgpu,
  maxPoolWebgpu,
} from "../backends/webgpu/kernels/pool.js";
import {
  avgPoolBackpropGradient,
  avgPoolGradient,
  maxPoolBackpropGradient,
  maxPoolGradient,
} from "../gradients/pool.js";
import { defineKernel } from "../kernels/define-kernel.js";

/** Windows over height and width, one entry an axis; `padding` is on both sides. */
export type PoolAttributes = {
  inputSize: number[];
  outputSize: number[];
  kernelSize: number[];
  strides: number[];
  padding: number[];
  dilations: number[];
};

/** The same for averages: `dilations` are 1. */
export type AveragePoolAttributes = PoolAttributes & { countIncludePad: boolean };

/** x `[batch, height, width, channels]` → `[batch, outHeight, outWidth, channels]`. */
const maxPoolKernel = /* @__PURE__ */ defineKernel<{ x: Tensor }, PoolAttributes>({
  name: "MaxPool2D",
  implementations: {
    cpu: maxPoolOnHost,
    wasm: (call) => maxPoolWasm(call) ?? maxPoolOnHost(call),
    webgpu: (call) => maxPoolWebgpu(call, "value"),
  },
  saves: ["x"],
  gradient: maxPoolGradient,
});

/** The same → int32, the maximum's `row·width + column` in its image. */
const maxPoolIndicesKernel = /* @__PURE__ */ defineKernel<{ x: Tensor }, PoolAttributes>({
  name: "MaxPool2DIndices",
  implementations: {
    cpu: maxPoolIndicesOnHost,
    wasm: (call) => maxPoolIndicesWasm(call) ?? maxPoolIndicesOnHost(call),
    webgpu: (call) => maxPoolWebgpu(call, "cell"),
  },
});

/** x `[batch, height, width, channels]`, dy `[batch, outHeight, outWidth, channels]` → dx. */
const maxPoolBackpropKernel = /* @__PURE__ */ defineKernel<{ x: Tensor; dy: Tensor }, PoolAttributes>({
  name: "MaxPool2DBackprop",
  implementations: {
    cpu: maxPoolBackpropOnHost,
    wasm: (call) => maxPoolBackpropWasm(call) ?? maxPoolBackpropOnHost(call),
    webgpu: (call) => maxPoolBackpropWebgpu(call),
  },
  saves: ["x"],
  gradient: maxPoolBackpropGradient,
});

/** x `[batch, height, width, channels]` → `[batch, outHeight, outWidth, channels]`. */
const avgPoolKernel = /* @__PURE__ */ defineKernel<{ x: Tensor }, AveragePoolAttributes>({
  name: "AvgPool2D",
  implementations: {
    cpu: avgPoolOnHost,
    wasm: (call) => avgPoolWasm(call) ?? avgPoolOnHost(call),
    webgpu: (call) => avgPoolWebgpu(call),
  },
  gradient: avgPoolGradient,
});

/** The transpose of AvgPool2D. */
const avgPoolBackpropKernel = /* @__PURE__ */ defineKernel<{ dy: Tensor }, AveragePoolAttributes>({
  name: "AvgPool2DBackprop",
  implementations: {
    cpu: avgPoolBackpropOnHost,
    wasm: (call) => avgPoolBackpropWasm(call) ?? avgPoolBackpropOnHost(call),
    webgpu: (call) => avgPoolBackpropWebgpu(call),
  },
  gradient: avgPoolBackpropGradient,
});

/** @internal */
export function maxPoolForward(x: Tensor, attributes: PoolAttributes): Tensor {
  return maxPoolKernel({ x }, attributes);
}

/** @internal */
export function maxPoolIndices(x: Tensor, attributes: PoolAttributes): Tensor {
  return maxPoolIndicesKernel({ x }, attributes);
}

/** @internal */
export function maxPoolBackprop(x: Tensor, dy: Tensor, attributes: PoolAttributes): Tensor {
  return maxPoolBackpropKernel({ x, dy }, attributes);
}

/** @internal */
export function avgPoolForward(x: Tensor, attributes: AveragePoolAttributes): Tensor {
  return avgPoolKernel({ x }, attributes);
}

/** @internal */
export function avgPoolBackprop(dy: Tensor, attributes: AveragePoolAttributes): Tensor {
  return avgPoolBackpropKernel({ dy }, attributes);
}
