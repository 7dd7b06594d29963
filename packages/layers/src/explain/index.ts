export { type AttentionMap, type AttentionMapsOptions, attentionMaps } from "./attention-maps.js";
export * from "./attention-rollout.js";
export type {
  ExplainOptions,
  ExplainProgress,
  ExplainTarget,
  Explanation,
  GradientExplainOptions,
  OutputOf,
} from "./explain-options.js";
export * from "./grad-cam.js";
export * from "./integrated-gradients.js";
export * from "./occlusion.js";
export type { QuadratureRule } from "./quadrature.js";
export * from "./smooth-grad.js";
