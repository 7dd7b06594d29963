export { type AssignPointsOptions, assignPoints, type PointTargets } from "./assign-points.js";
export { distanceGiou, pairedGiou } from "./giou.js";
export {
  type PointDetectorLoss,
  type PointTargetTensors,
  pointDetectorLoss,
  stackPointTargets,
} from "./point-detector-loss.js";
export {
  matchSetPrediction,
  type SetPrediction,
  type SetPredictionLoss,
  type SetTarget,
  type SetWeights,
  setPredictionLoss,
} from "./set-prediction-loss.js";
