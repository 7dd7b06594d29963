export type { LabeledPictures } from "./labeled-pictures.js";
export {
  type ImageBatch,
  type TrainImageClassifierOptions,
  trainImageClassifier,
} from "./train-image-classifier.js";
export { type SaveClassifierOptions, TrainedImageClassifier } from "./trained-image-classifier.js";
