export { Adafactor, type AdafactorOptions } from "./adafactor.js";
export { Adadelta, type AdadeltaOptions, Adagrad, type AdagradOptions } from "./adagrad.js";
export { Adam, type AdamOptions, AdamW } from "./adam.js";
export {
  Adamax,
  type AdamaxOptions,
  NAdam,
  type NAdamOptions,
  RAdam,
  type RAdamOptions,
} from "./adam-variants.js";
export { ASGD, type AsgdOptions } from "./asgd.js";
export {
  areFinite,
  type ClipGradNormOptions,
  clipGradNorm,
  clipGradValue,
  gradientNorm,
} from "./clipping.js";
export { LAMB, type LambOptions } from "./lamb.js";
export { LBFGS, type LbfgsOptions, type LbfgsState, type LbfgsStepOptions } from "./lbfgs.js";
export { Lion, type LionOptions } from "./lion.js";
export { type MinimizeOptions, minimize } from "./minimize.js";
export { Muon, type MuonOptions } from "./muon.js";
export {
  Optimizer,
  type OptimizerBuffer,
  type OptimizerGroup,
  type OptimizerGroupInput,
  type OptimizerOptions,
  type OptimizerState,
  type UpdateContext,
} from "./optimizer.js";
export { RMSprop, type RmspropOptions } from "./rmsprop.js";
export { Rprop, type RpropOptions } from "./rprop.js";
export { SGD, type SgdOptions } from "./sgd.js";
export {
  ExponentialMovingAverage,
  type ExponentialMovingAverageOptions,
  StochasticWeightAverage,
  WeightAverage,
  type WeightAverageOptions,
  type WeightAverageState,
  type WeightAveragingOptions,
  weightAveraging,
} from "./weight-average.js";
