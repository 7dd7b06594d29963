export type { Picture, PictureChannels } from "./preprocess/picture.js";
