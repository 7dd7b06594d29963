export type { ImageBatch } from "./class-training.js";
export {
  type FineTuneImageClassifierOptions,
  fineTuneImageClassifier,
} from "./fine-tune-image-classifier.js";
export type { PictureSet } from "./picture-set.js";
export type { PretrainedSource } from "./pretrained-image-model.js";
export {
  type ClassAccuracy,
  type TaughtImageRecognizer,
  type TeachImageRecognizerOptions,
  type TeachingProgress,
  teachImageRecognizer,
} from "./teach-image-recognizer.js";
export {
  type TrainImageClassifierOptions,
  trainImageClassifier,
} from "./train-image-classifier.js";
export {
  type DetectionBatch,
  type TrainObjectDetectorOptions,
  trainObjectDetector,
} from "./train-object-detector.js";
export { type SaveClassifierOptions, TrainedImageClassifier } from "./trained-image-classifier.js";
export {
  type DetectTrainedOptions,
  type SaveDetectorOptions,
  TrainedObjectDetector,
} from "./trained-object-detector.js";
