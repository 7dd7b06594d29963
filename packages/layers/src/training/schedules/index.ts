export { ChainedScheduler, type ChainedSchedulerOptions } from "./chained.js";
export { CosineAnnealingLR, type CosineAnnealingLrOptions } from "./cosine.js";
export {
  CosineAnnealingWarmRestarts,
  type CosineAnnealingWarmRestartsOptions,
} from "./cosine-restarts.js";
export { CyclicLR, type CyclicLrOptions } from "./cyclic.js";
export {
  ConstantLR,
  type ConstantLrOptions,
  ExponentialLR,
  type ExponentialLrOptions,
  InverseSquareRootLR,
  type InverseSquareRootLrOptions,
  LambdaLR,
  type LambdaLrOptions,
  PolynomialLR,
  type PolynomialLrOptions,
} from "./decay.js";
export { LinearLR, type LinearLrOptions } from "./linear.js";
export { MultiStepLR, type MultiStepLrOptions } from "./multi-step.js";
export { MultiplicativeLR, type MultiplicativeLrOptions } from "./multiplicative.js";
export { OneCycleLR, type OneCycleLrOptions } from "./one-cycle.js";
export {
  ReduceLROnPlateau,
  type ReduceLrOnPlateauOptions,
  type ReduceLrOnPlateauState,
} from "./plateau.js";
export {
  LearningRateSchedule,
  type ScheduledOptimizer,
  type ScheduledValues,
  type ScheduleState,
} from "./schedule.js";
export { SequentialLR, type SequentialLrOptions } from "./sequential.js";
export { StepLR, type StepLrOptions } from "./step.js";
export { SWALR, type SwaLrOptions } from "./swa.js";
