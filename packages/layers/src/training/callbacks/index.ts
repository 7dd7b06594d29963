export type {
  CallbackState,
  FitEnd,
  FitResult,
  GradientUpdate,
  StepValues,
  TrainerView,
  TrainingCallback,
  TrainingEstimate,
  TrainingRun,
} from "./callback.js";
export { type CheckpointsOptions, checkpoints } from "./checkpoints.js";
export { type CsvHistoryOptions, csvHistory, historyToCsv } from "./csv-history.js";
export { EarlyStopping, type EarlyStoppingOptions, earlyStopping } from "./early-stopping.js";
export {
  type ParameterHistoryOptions,
  type ParametersAtStep,
  parameterHistory,
} from "./parameter-history.js";
export type { WatchParametersOptions } from "./parameter-watch.js";
export { formatDuration, type ProgressBarOptions, type ProgressOutput, progressBar } from "./progress-bar.js";
export { type TensorBoardOptions, TensorBoardWriter, tensorBoard } from "./tensor-board.js";
