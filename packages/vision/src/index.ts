export { SimilarityIndex, type SimilaritySearchOptions, type SimilarNeighbor } from "@ai/layers/tasks";
export type { AffineResample } from "./augment/affine.js";
export { type ColorJitterOptions, colorJitter } from "./augment/color-jitter.js";
export {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  adjustSharpness,
  autoContrast,
  equalize,
  posterize,
  solarize,
} from "./augment/color-operations.js";
export {
  type FlipOptions,
  flipHorizontally,
  flipVertically,
  randomHorizontalFlip,
  randomVerticalFlip,
} from "./augment/flips.js";
export { cutMix, type MixableBatch, type MixOptions, mixup } from "./augment/mix.js";
export { type RandAugmentOptions, randAugment } from "./augment/rand-augment.js";
export { type RandomAffineOptions, randomAffine, randomRotation } from "./augment/random-affine.js";
export {
  type RandomCropOptions,
  type RandomResizedCropOptions,
  randomCrop,
  randomResizedCrop,
} from "./augment/random-crop.js";
export { type RandomErasingOptions, randomErasing } from "./augment/random-erasing.js";
export {
  type Augmentation,
  type AugmentContext,
  compose,
  type LabeledBox,
  type VisionSample,
} from "./augment/sample.js";
export { type CocoDatasetOptions, cocoDataset } from "./datasets/coco-dataset.js";
export {
  type DataFiles,
  type DataFilesOptions,
  type DataSource,
  openDataFiles,
} from "./datasets/data-files.js";
export { type ImageFolderOptions, imageFolder } from "./datasets/image-folder.js";
export {
  type OpenPictureSplitsOptions,
  openPictureSplits,
  PICTURE_FORMATS,
  type PictureFormat,
  type PictureSplit,
  type PictureSplits,
} from "./datasets/open-picture-splits.js";
export {
  type CifarDatasetOptions,
  cifarDataset,
  type IdxFile,
  type MnistFiles,
  mnistDataset,
  type PackedPictures,
  readIdx,
} from "./datasets/packed-datasets.js";
export type { PictureDataset, PictureDatasetOptions, PictureItem } from "./datasets/picture-dataset.js";
export { type ReadTarOptions, readTar, type TarEntry, type TarSource } from "./datasets/tar.js";
export { type VocDatasetOptions, vocDataset } from "./datasets/voc-dataset.js";
export { type YoloDatasetOptions, yoloDataset } from "./datasets/yolo-dataset.js";
export * from "./losses/index.js";
export { type CocoMetrics, cocoMetrics, type EvaluatedPicture } from "./metrics/coco-metrics.js";
export {
  type EvaluateImageClassifierOptions,
  evaluateImageClassifier,
  type ImageClassifierScores,
  type LabeledPictures,
} from "./metrics/evaluate-image-classifier.js";
export {
  type EvaluateObjectDetectorOptions,
  evaluateObjectDetector,
} from "./metrics/evaluate-object-detector.js";
export { LPRNET_SYMBOLS } from "./models/lprnet/lprnet-symbols.js";
export { type ImagePreprocessing, models } from "./models/registry.js";
export { type DrawBoxesOptions, type DrawnBox, drawBoxes } from "./postprocess/draw-boxes.js";
export { drawRelevance, type RelevanceMap } from "./postprocess/draw-relevance.js";
export type { GalleryCalibration } from "./postprocess/image-gallery.js";
export * from "./postprocess/index.js";
export type { ImageClass } from "./postprocess/rank-classes.js";
export type { DrawableSource } from "./preprocess/canvas-source.js";
export { convertChannels } from "./preprocess/convert-channels.js";
export { type CropOptions, centerCrop, cropImage } from "./preprocess/crop-image.js";
export type { Fill } from "./preprocess/fill.js";
export {
  type ImagePreprocessor,
  imagePreprocessor,
  type PreprocessedImages,
} from "./preprocess/image-preprocessor.js";
export { imageToHostTensor, imageToTensor, type NormalizeOptions } from "./preprocess/image-to-tensor.js";
export { type LetterboxOptions, letterboxImage } from "./preprocess/letterbox-image.js";
export { type PadMode, type PadOptions, padImage } from "./preprocess/pad-image.js";
export type { Picture, PictureChannels } from "./preprocess/picture.js";
export {
  type Box,
  boxFromOriginal,
  boxToOriginal,
  type PictureTransform,
} from "./preprocess/picture-transform.js";
export type { PictureSize, PreprocessSteps, ResizeRule } from "./preprocess/preprocessor-config.js";
export { type ImageSource, type ReadImageOptions, readImage } from "./preprocess/read-image.js";
export type { Resample } from "./preprocess/resample-filters.js";
export { type ResizeOptions, resizeImage } from "./preprocess/resize-image.js";
export { type WriteJpegOptions, writeJpeg, writePng } from "./preprocess/write-image.js";
export type { EmbeddingModelInfo, LoadEmbeddingModelOptions } from "./tasks/embedding-model.js";
export type { DetectionExplanation, DetectionTarget } from "./tasks/explain-detection.js";
export type { ImageExplanation } from "./tasks/explain-image.js";
export {
  type ClassifyImageOptions,
  type ImageClassification,
  type ImageClassifierInfo,
  type LoadImageClassifierOptions,
  loadImageClassifier,
} from "./tasks/image-classification.js";
export {
  type EmbedImageOptions,
  type ImageEmbedderInfo,
  type ImageEmbedding,
  type LoadImageEmbedderOptions,
  loadImageEmbedder,
} from "./tasks/image-embedding.js";
export {
  type CompareImageOptions,
  type GallerySource,
  type ImageRecognition,
  type ImageRecognizerInfo,
  type InstanceRecognition,
  type LoadImageRecognizerOptions,
  loadImageRecognizer,
  type RecognitionCandidate,
  type RecognitionExplanation,
  type RecognizeImageOptions,
} from "./tasks/image-recognition.js";
export {
  type Detection,
  type DetectObjectsOptions,
  type LoadObjectDetectorOptions,
  loadObjectDetector,
  type ObjectDetection,
  type ObjectDetectorInfo,
} from "./tasks/object-detection.js";
export type { ExplainImageOptions, ImageExplanationMethod } from "./tasks/picture-relevance.js";
export {
  type CharacterExplanation,
  type LoadTextRecognizerOptions,
  loadTextRecognizer,
  type RecognizedCharacter,
  type RecognizedText,
  type RecognizeTextOptions,
  type TextRecognition,
  type TextRecognizerInfo,
} from "./tasks/text-recognition.js";
