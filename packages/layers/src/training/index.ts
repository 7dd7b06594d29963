export * from "../structure/compare-variants.js";
export {
  type FormatComparisonOptions,
  formatComparison,
  type MeanAndDeviation,
  overSeeds,
} from "../structure/format-comparison.js";
export { type PlotComparisonOptions, plotComparison } from "../structure/plot-comparison.js";
export { type BrowserStorageOptions, browserStorage } from "./browser-storage.js";
export * from "./callbacks/index.js";
export {
  type CheckpointInfo,
  findBestCheckpoint,
  listCheckpoints,
  loadCheckpoint,
  loadLastCheckpoint,
  type SaveCheckpointOptions,
  saveCheckpoint,
} from "./checkpoint.js";
export {
  type ComparedRun,
  type CompareRunsOptions,
  compareRuns,
  type RunComparison,
  type RunValue,
} from "./comparison/compare-runs.js";
export { formatRuns } from "./comparison/format-runs.js";
export { type ReportRunsOptions, reportRuns } from "./comparison/report-runs.js";
export {
  type ConfigValue,
  type CurvePoint,
  type RunRecord,
  type RunRecordOptions,
  runRecord,
} from "./comparison/run-record.js";
export * from "./data/index.js";
export {
  type DistillationOptions,
  distillation,
  type FeatureMatch,
  type SoftTargetLossOptions,
  softTargetLoss,
} from "./distillation.js";
export { type BatchProgress, type EvaluateModelOptions, evaluate } from "./evaluate.js";
export { type EpochRecord, TrainingHistory } from "./history.js";
export type { LearningProblem } from "./learning-problems.js";
export {
  type FindLearningRateOptions,
  findLearningRate,
  type LearningRateSearch,
  type LearningRateTrial,
} from "./learning-rate-finder.js";
export * from "./losses/index.js";
export * from "./metrics/index.js";
export * from "./optimizers/index.js";
export { type OverfitOneBatchOptions, type OverfitReport, overfitOneBatch } from "./overfit-one-batch.js";
export {
  type Histogram,
  type ParameterStatistics,
  type ParameterStatisticsOptions,
  parameterStatistics,
  type ValueStatistics,
} from "./parameter-statistics.js";
export {
  type PredictBatchesOptions,
  type Prediction,
  type PredictionForm,
  type PredictionSource,
  type PredictOptions,
  predict,
  predictBatches,
} from "./predict.js";
export { type ModelProfile, type ProfileOptions, type ProfileRow, profile } from "./profile.js";
export * from "./pruning/index.js";
export * from "./schedules/index.js";
export { memoryStorage, nodeStorage, type TrainingStorage } from "./storage.js";
export { Trainer } from "./trainer.js";
export type { BatchSource, FitOptions, Loss, TrainableModel, TrainerOptions } from "./trainer-options.js";
export type { TrainingState } from "./training-state.js";
export type { ComputeLoss, LossResult } from "./training-step.js";
export { type UpdateBatchNormOptions, updateBatchNorm } from "./update-batch-norm.js";
export { type ConnectTrainingOptions, connectTraining } from "./worker/connect-training.js";
export type { TrainingEvent, TrainingInfo } from "./worker/messages.js";
export {
  type RemoteFitOptions,
  type RemoteFitResult,
  RemoteTraining,
  type TrainingMethods,
} from "./worker/remote-training.js";
export { serveTraining, type TrainingContext, type TrainingSetup } from "./worker/serve-training.js";
