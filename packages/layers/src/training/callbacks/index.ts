export type {
  CallbackState,
  FitEnd,
  StepValues,
  TrainerView,
  TrainingCallback,
  TrainingEstimate,
  TrainingRun,
} from "./callback.js";
export { EarlyStopping, type EarlyStoppingOptions, earlyStopping } from "./early-stopping.js";
export { formatDuration, type ProgressBarOptions, type ProgressOutput, progressBar } from "./progress-bar.js";
