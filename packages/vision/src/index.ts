export * from "./models/index.js";
export type { Picture, PictureChannels } from "./preprocess/picture.js";
export type { Resample } from "./preprocess/resample-filters.js";
export { type ResizeOptions, resizeImage } from "./preprocess/resize-image.js";
