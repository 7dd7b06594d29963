export { type Assignment, assignHungarian } from "./assign-hungarian.js";
export {
  boxArea,
  boxFromCenter,
  boxGiou,
  boxIntersection,
  boxIou,
  type DetectedBox,
  pairwiseBoxes,
} from "./boxes.js";
export { COCO_LABELS } from "./coco-labels.js";
export { type CtcReading, type CtcScores, type DecodeCtcOptions, decodeCtc } from "./decode-ctc.js";
export { type DecodeDetrOptions, decodeDetr, type QueryValues } from "./decode-detr.js";
export { type CellGrid, type DecodeBoxesOptions, decodeFastestDet } from "./decode-fastest-det.js";
export { type DecodePointsOptions, decodePoints, type PointValues } from "./decode-points.js";
export {
  type KeptBox,
  type NonMaximumSuppressionOptions,
  nonMaximumSuppression,
} from "./non-maximum-suppression.js";
export { type PointGrid, pointGrid } from "./point-grid.js";
