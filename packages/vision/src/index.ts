export * from "./models/index.js";
export type { DrawableSource } from "./preprocess/canvas-source.js";
export { convertChannels } from "./preprocess/convert-channels.js";
export { type CropOptions, centerCrop, cropImage } from "./preprocess/crop-image.js";
export type { Fill } from "./preprocess/fill.js";
export {
  type ImagePreprocessor,
  imagePreprocessor,
  type PreprocessedImages,
} from "./preprocess/image-preprocessor.js";
export { imageToTensor, type NormalizeOptions } from "./preprocess/image-to-tensor.js";
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
