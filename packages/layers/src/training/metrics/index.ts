export { Accuracy, TopKAccuracy } from "./accuracy.js";
export { ConfusionMatrix, type ConfusionMatrixOptions } from "./confusion-matrix.js";
export { type F1Average, F1Score, type F1ScoreOptions } from "./f1-score.js";
export type { ClassMetricOptions, Metric } from "./metric.js";
