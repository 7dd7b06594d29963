import { InputError, type Tensor, tensor } from "@ai/tensor";
import { convertChannels } from "./convert-channels.js";
import { centerStart, cropImage } from "./crop-image.js";
import { levelTables, writeLevels } from "./image-to-tensor.js";
import { assertPicture, type Picture } from "./picture.js";
import { identityTransform, type PictureTransform, thenTransform } from "./picture-transform.js";
import {
  type PictureSize,
  type PreprocessSteps,
  type ResizeRule,
  readPreprocessorConfig,
} from "./preprocessor-config.js";
import { resizeImage, resizeToWindow } from "./resize-image.js";

/** What a model is given for a batch of pictures. */
export interface PreprocessedImages {
  /** `[batch, height, width, channels]`; the caller's. */
  readonly pixelValues: Tensor;
  /** `[batch, height, width]` int32, 1 where there is picture and 0 where there is padding; the caller's. */
  readonly pixelMask?: Tensor;
  /** For each picture, where its pixels went. */
  readonly transforms: readonly PictureTransform[];
}

/** As many as `readImage` takes unless told otherwise. */
const MAX_RESIZED_PIXELS = 2 ** 26;

/** Turns pictures into what a model is given. */
export interface ImagePreprocessor {
  (pictures: Picture | readonly Picture[]): PreprocessedImages;
  /** What it does, in this order. */
  readonly steps: PreprocessSteps;
}

/**
 * Preprocessing as a `preprocessor_config.json` of Hugging Face describes it, with the numbers of Transformers' (slow)
 * processors: ViT, DeiT, ConvNext, EfficientNet, MobileNetV1, MobileNetV2, MobileViT, Bit, CLIP, Detr. Pictures become RGB first.
 * @param config The file's content.
 * @returns A function that makes `pixelValues` `[batch, height, width, channels]` of one or several pictures.
 * It throws an InputError for a picture that would have more than 2²⁶ pixels after resizing.
 * @throws InputError for a processor, field or value that is not supported; the message names it.
 * @example
 * const preprocess = imagePreprocessor({ image_processor_type: "ViTImageProcessor", size: 224 });
 * const { pixelValues } = preprocess(await readImage("photo.jpg")); // [1, 224, 224, 3]
 */
export function imagePreprocessor(config: Readonly<Record<string, unknown>>): ImagePreprocessor {
  const steps = readPreprocessorConfig(config);
  const tables = tablesOf(steps);
  const preprocess = (pictures: Picture | readonly Picture[]): PreprocessedImages => {
    const list = Array.isArray(pictures) ? (pictures as readonly Picture[]) : [pictures as Picture];
    if (list.length === 0) throw new InputError("imagePreprocessor: expected at least one picture, got none");
    for (const picture of list) assertPicture("imagePreprocessor", picture);
    const placed = list.map((picture) => place(convertChannels(picture, 3), steps));
    const size = batchSize(
      placed.map(({ picture }) => picture),
      steps.pad,
    );
    const pixels = size.height * size.width;
    const values = new Float32Array(list.length * pixels * 3);
    placed.forEach(({ picture: placedPicture }, index) => {
      const picture = steps.channelOrder === "BGR" ? reverseChannels(placedPicture) : placedPicture;
      writeLevels(picture, tables, values, index * pixels * 3, size.width * 3);
    });
    return {
      pixelValues: tensor(values, [list.length, size.height, size.width, 3]),
      pixelMask:
        steps.pad === undefined
          ? undefined
          : maskOf(
              placed.map(({ picture }) => picture),
              size,
            ),
      transforms: placed.map(({ transform }) => transform),
    };
  };
  return Object.assign(preprocess, { steps });
}

/** The tables of the channels in the order in which they are written. */
function tablesOf(steps: PreprocessSteps): Float32Array[] {
  const tables = levelTables("imagePreprocessor", 3, steps);
  const { secondDeviation, channelOrder } = steps;
  if (channelOrder === "BGR") return tables.reverse();
  if (secondDeviation === undefined) return tables;
  return tables.map((table, channel) => {
    const deviation = typeof secondDeviation === "number" ? secondDeviation : secondDeviation[channel];
    return table.map((value) => value / Math.fround(deviation));
  });
}

/** Blue, green and red of an RGB picture. */
function reverseChannels(picture: Picture): Picture {
  const data = Uint8Array.from(picture.data);
  for (let at = 0; at < data.length; at += 3) {
    data[at] = picture.data[at + 2];
    data[at + 2] = picture.data[at];
  }
  return { ...picture, data };
}

/** Resizes and crops one picture. */
function place(
  picture: Picture,
  { resize, resample, centerCrop }: PreprocessSteps,
): { picture: Picture; transform: PictureTransform } {
  let transform = identityTransform(picture);
  const { width, height } = resize === undefined ? picture : resizedSize(picture, resize);
  if (resize !== undefined)
    transform = thenTransform(transform, { scaleX: width / picture.width, scaleY: height / picture.height });
  const crop = centerCrop && {
    left: centerStart(width, centerCrop.width),
    top: centerStart(height, centerCrop.height),
    width: centerCrop.width,
    height: centerCrop.height,
  };
  if (crop !== undefined) transform = thenTransform(transform, { offsetX: -crop.left, offsetY: -crop.top });
  const size = { width, height, resample };
  const part = resize && crop && resizeToWindow(picture, size, crop);
  if (part !== undefined) return { picture: part, transform };
  const resized = resize === undefined ? picture : resizeImage(picture, size);
  return { picture: crop === undefined ? resized : cropImage(resized, crop), transform };
}

/** Python's `round`: halves go to the even neighbour. */
function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/**
 * Height and width that a rule brings a picture of a size to.
 * @throws InputError for more than 2²⁶ pixels: a line of one pixel's width would grow by its length.
 */
export function resizedSize(picture: PictureSize, rule: ResizeRule): PictureSize {
  const size = ruledSize(picture, rule);
  if (size.width * size.height <= MAX_RESIZED_PIXELS) return size;
  throw new InputError(
    `imagePreprocessor: expected a picture of at most ${MAX_RESIZED_PIXELS} pixels after resizing, got ${size.width} × ${size.height} of ${picture.width} × ${picture.height}; cut out the part that matters`,
  );
}

function ruledSize({ width, height }: PictureSize, rule: ResizeRule): PictureSize {
  if ("maxHeight" in rule) {
    const scale = Math.min(rule.maxHeight / height, rule.maxWidth / width);
    return atLeastOne(Math.trunc(height * scale), Math.trunc(width * scale));
  }
  if ("height" in rule) return rule;
  const { shortestEdge, longestEdge } = rule;
  const short = Math.min(width, height);
  const long = Math.max(width, height);
  let newShort = shortestEdge;
  let exactShort = shortestEdge;
  if (longestEdge !== undefined && (long / short) * shortestEdge > longestEdge) {
    exactShort = (longestEdge * short) / long;
    newShort = roundHalfEven(exactShort);
  }
  const newLong = short === newShort ? long : Math.trunc((exactShort * long) / short);
  return width < height ? atLeastOne(newLong, newShort) : atLeastOne(newShort, newLong);
}

function atLeastOne(height: number, width: number): PictureSize {
  return { height: Math.max(1, height), width: Math.max(1, width) };
}

function batchSize(pictures: readonly Picture[], pad: PreprocessSteps["pad"]): PictureSize {
  const largest = {
    height: Math.max(...pictures.map(({ height }) => height)),
    width: Math.max(...pictures.map(({ width }) => width)),
  };
  if (pad === "largest") return largest;
  const size = pad ?? pictures[0];
  const wrong = pictures.find(
    ({ width, height }) =>
      width > size.width ||
      height > size.height ||
      (pad === undefined && (width !== size.width || height !== size.height)),
  );
  if (wrong === undefined) return { height: size.height, width: size.width };
  throw new InputError(
    `imagePreprocessor: expected pictures ${pad === undefined ? "of" : "of at most"} ${size.height} × ${size.width} after resizing, got ${wrong.height} × ${wrong.width}; ${pad === undefined ? "this configuration keeps proportions, so give pictures one at a time" : "raise pad_size"}`,
  );
}

/** `[batch, height, width]` */
function maskOf(pictures: readonly Picture[], { height, width }: PictureSize): Tensor {
  const mask = new Int32Array(pictures.length * height * width);
  pictures.forEach((picture, index) => {
    for (let row = 0; row < picture.height; row++) {
      const start = (index * height + row) * width;
      mask.fill(1, start, start + picture.width);
    }
  });
  return tensor(mask, [pictures.length, height, width]);
}
