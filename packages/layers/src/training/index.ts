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
export * from "./data/index.js";
export { type EpochRecord, TrainingHistory } from "./history.js";
export * from "./losses/index.js";
export * from "./metrics/index.js";
export * from "./optimizers/index.js";
export * from "./schedules/index.js";
export { memoryStorage, nodeStorage, type TrainingStorage } from "./storage.js";
export { type FitResult, Trainer } from "./trainer.js";
export type { BatchSource, FitOptions, Loss, TrainableModel, TrainerOptions } from "./trainer-options.js";
export type { TrainingState } from "./training-state.js";
export type { ComputeLoss, LossResult } from "./training-step.js";
