export { Adam, type AdamOptions, AdamW } from "./adam.js";
export {
  areFinite,
  type ClipGradNormOptions,
  clipGradNorm,
  clipGradValue,
  gradientNorm,
} from "./clipping.js";
export {
  Optimizer,
  type OptimizerGroup,
  type OptimizerGroupInput,
  type OptimizerOptions,
  type OptimizerState,
} from "./optimizer.js";
export { SGD, type SgdOptions } from "./sgd.js";
