import type { Tensor } from "@tensorflow/tfjs-core";
import { defineKernel } from "../define-kernel.js";
import { groupNormGradient } from "./group-norm.gradient.js";
import { groupNormReference } from "./group-norm.reference.js";
import { groupNormWasm } from "./group-norm.wasm.js";

/** `x` `[batch, cells, channels]`, `weight` and `bias` `[channels]` */
export type GroupNormInputs = { x: Tensor; weight?: Tensor; bias?: Tensor };
export type GroupNormAttributes = { numGroups: number; epsilon: number };

/** What `groupNorm` runs. Output `[batch, cells, channels]`. */
export const groupNormKernel = /* @__PURE__ */ defineKernel<GroupNormInputs, GroupNormAttributes>({
  name: "GroupNorm",
  reference: groupNormReference,
  implementations: { wasm: groupNormWasm },
  saves: ["x", "weight"],
  gradient: groupNormGradient,
});
