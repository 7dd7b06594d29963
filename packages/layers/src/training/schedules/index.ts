export { CosineAnnealingLR, type CosineAnnealingLrOptions } from "./cosine.js";
export { LinearLR, type LinearLrOptions } from "./linear.js";
export { OneCycleLR, type OneCycleLrOptions } from "./one-cycle.js";
export {
  LearningRateSchedule,
  type ScheduledOptimizer,
  type ScheduledValues,
  type ScheduleState,
} from "./schedule.js";
export { SequentialLR, type SequentialLrOptions } from "./sequential.js";
export { StepLR, type StepLrOptions } from "./step.js";
