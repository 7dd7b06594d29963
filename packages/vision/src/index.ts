export * from "./models/index.js";
export type { DrawableSource } from "./preprocess/canvas-source.js";
export { convertChannels } from "./preprocess/convert-channels.js";
export type { Picture, PictureChannels } from "./preprocess/picture.js";
export { type ImageSource, type ReadImageOptions, readImage } from "./preprocess/read-image.js";
export type { Resample } from "./preprocess/resample-filters.js";
export { type ResizeOptions, resizeImage } from "./preprocess/resize-image.js";
