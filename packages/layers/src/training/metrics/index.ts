export { Accuracy, TopKAccuracy } from "./accuracy.js";
export { type ClassAverage, type ClassScoreOptions, F1Score, Precision, Recall } from "./class-scores.js";
export { ConfusionMatrix, type ConfusionMatrixOptions } from "./confusion-matrix.js";
export {
  ExpectedCalibrationError,
  type ExpectedCalibrationErrorOptions,
  Perplexity,
  type PerplexityOptions,
} from "./likelihood.js";
export type { ClassMetricOptions, Metric } from "./metric.js";
export { AveragePrecision, type RankingAverage, type RankingOptions, RocAuc } from "./ranking.js";
export {
  MeanAbsoluteError,
  MeanSquaredError,
  PearsonCorrelation,
  R2Score,
  RootMeanSquaredError,
  SpearmanCorrelation,
} from "./regression.js";
