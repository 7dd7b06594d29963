import type { Tensor } from "@tensorflow/tfjs-core";
import {
  flattenIndicesOnHost,
  gatherOnHost,
  oneHotOnHost,
  scatterAlongAxisOnHost,
  scatterRowsOnHost,
  takeAlongAxisOnHost,
} from "../backends/host/indexing.js";
import {
  flattenIndicesWasm,
  gatherWasm,
  oneHotWasm,
  scatterAlongAxisWasm,
  scatterRowsWasm,
  takeAlongAxisWasm,
} from "../backends/wasm/ops/layout.js";
import {
  flattenIndicesWebgpu,
  gatherWebgpu,
  oneHotWebgpu,
  scatterAlongAxisWebgpu,
  scatterRowsWebgpu,
  takeAlongAxisWebgpu,
} from "../backends/webgpu/kernels/indexing.js";
import type { DType } from "../dtype.js";
import {
  gatherGradient,
  scatterAlongAxisGradient,
  scatterRowsGradient,
  takeAlongAxisGradient,
} from "../gradients/indexing.js";
import { defineKernel } from "../kernels/define-kernel.js";

/** The op that the user called: a GPU finds an index out of range later and must say where it came from. */
export type OperationAttributes = { operation: string };
export type LengthAttributes = OperationAttributes & { length: number };
export type FlattenAttributes = OperationAttributes & { dims: number[] };
export type DepthAttributes = { depth: number; dtype: DType };

/** x `[outer, length, inner]`, indices `[count]` → `[outer, count, inner]`. */
const gatherKernel = /* @__PURE__ */ defineKernel<{ x: Tensor; indices: Tensor }, OperationAttributes>({
  name: "Gather",
  implementations: {
    cpu: gatherOnHost,
    wasm: (call) => gatherWasm(call) ?? gatherOnHost(call),
    webgpu: (call) => gatherWebgpu(call),
  },
  saves: ["indices"],
  gradient: gatherGradient,
});

/** updates `[outer, count, inner]`, indices `[count]` → sums in `[outer, length, inner]`. */
const scatterRowsKernel = /* @__PURE__ */ defineKernel<
  { updates: Tensor; indices: Tensor },
  LengthAttributes
>({
  name: "ScatterRows",
  implementations: {
    cpu: scatterRowsOnHost,
    wasm: (call) => scatterRowsWasm(call) ?? scatterRowsOnHost(call),
    webgpu: (call) => scatterRowsWebgpu(call),
  },
  saves: ["indices"],
  gradient: scatterRowsGradient,
});

/** x `[outer, length, inner]`, indices `[outer, count, inner]` → `[outer, count, inner]`. */
const takeAlongAxisKernel = /* @__PURE__ */ defineKernel<{ x: Tensor; indices: Tensor }, OperationAttributes>(
  {
    name: "TakeAlongAxis",
    implementations: {
      cpu: takeAlongAxisOnHost,
      wasm: (call) => takeAlongAxisWasm(call) ?? takeAlongAxisOnHost(call),
      webgpu: (call) => takeAlongAxisWebgpu(call),
    },
    saves: ["indices"],
    gradient: takeAlongAxisGradient,
  },
);

/** updates and indices `[outer, count, inner]` → sums in `[outer, length, inner]`. */
const scatterAlongAxisKernel = /* @__PURE__ */ defineKernel<
  { updates: Tensor; indices: Tensor },
  LengthAttributes
>({
  name: "ScatterAlongAxis",
  implementations: {
    cpu: scatterAlongAxisOnHost,
    wasm: (call) => scatterAlongAxisWasm(call) ?? scatterAlongAxisOnHost(call),
    webgpu: (call) => scatterAlongAxisWebgpu(call),
  },
  saves: ["indices"],
  gradient: scatterAlongAxisGradient,
});

/** indices `[count, depth]` → positions `[count]` in a tensor of sizes `dims`. */
export const flattenIndicesKernel = /* @__PURE__ */ defineKernel<{ indices: Tensor }, FlattenAttributes>({
  name: "FlattenIndices",
  implementations: {
    cpu: flattenIndicesOnHost,
    wasm: (call) => flattenIndicesWasm(call) ?? flattenIndicesOnHost(call),
    webgpu: (call) => flattenIndicesWebgpu(call),
  },
});

/** indices `[count]` → `[count, depth]`. */
export const oneHotKernel = /* @__PURE__ */ defineKernel<{ indices: Tensor }, DepthAttributes>({
  name: "OneHot",
  implementations: {
    cpu: oneHotOnHost,
    wasm: (call) => oneHotWasm(call) ?? oneHotOnHost(call),
    webgpu: (call) => oneHotWebgpu(call),
  },
});

/** Rows of `x` `[outer, length, inner]` at `indices` `[count]`, which are in range. @internal */
export function gatherRows(x: Tensor, indices: Tensor, operation: string): Tensor {
  return gatherKernel({ x, indices }, { operation });
}

/** The transpose of {@link gatherRows}. @internal */
export function scatterRows(updates: Tensor, indices: Tensor, attributes: LengthAttributes): Tensor {
  return scatterRowsKernel({ updates, indices }, attributes);
}

/** Elements of `x` `[outer, length, inner]` at `indices` `[outer, count, inner]`, which are in range. @internal */
export function takeAlong(x: Tensor, indices: Tensor, operation: string): Tensor {
  return takeAlongAxisKernel({ x, indices }, { operation });
}

/** The transpose of {@link takeAlong}. @internal */
export function scatterAlong(updates: Tensor, indices: Tensor, attributes: LengthAttributes): Tensor {
  return scatterAlongAxisKernel({ updates, indices }, attributes);
}
