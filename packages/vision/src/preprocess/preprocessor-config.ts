import { InputError } from "@ai/tensor";
import { RESAMPLES, type Resample } from "./resample-filters.js";

/** How a picture's size changes before a model sees it. */
export type ResizeRule =
  /** Exactly this size. */
  | { readonly height: number; readonly width: number }
  /** The shorter edge becomes this long, the longer in proportion, at most `longestEdge`. */
  | { readonly shortestEdge: number; readonly longestEdge?: number }
  /** As large as fits into both. */
  | { readonly maxHeight: number; readonly maxWidth: number };

/** Height and width in pixels. */
export interface PictureSize {
  readonly height: number;
  readonly width: number;
}

/** What a `preprocessor_config.json` asks for, in the order in which it is done. */
export interface PreprocessSteps {
  readonly resize?: ResizeRule;
  readonly resample: Resample;
  readonly centerCrop?: PictureSize;
  readonly rescaleFactor: number;
  /** Added after rescaling. */
  readonly offset: number;
  readonly mean: number | readonly number[];
  readonly standardDeviation: number | readonly number[];
  /** Divides once more: EfficientNets with their classifier do. */
  readonly secondDeviation?: number | readonly number[];
  /** Zeros at the right and bottom up to this size, or to the largest of the batch, with a mask of what is picture. */
  readonly pad?: PictureSize | "largest";
  /** Order of the channels in the end; mean and deviation are of red, green and blue whatever it is. */
  readonly channelOrder: "RGB" | "BGR";
}

type Json = Readonly<Record<string, unknown>>;

const STANDARD = { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };
const IMAGENET = { image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225] };
const CLIP = {
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
};

/** Pillow's numbers of its filters. */
const BY_NUMBER: readonly Resample[] = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];

/** What a processor's class does where the file is silent, and which fields of its own it has. */
interface Kind {
  readonly defaults: Json;
  /** Whether one number as `size` means a square or the shortest edge. */
  readonly squareSize: boolean;
  readonly fields: readonly string[];
}

const cropping = (size: Json, resample: number, colors: Json): Json => ({
  size,
  resample,
  ...colors,
  do_center_crop: true,
  crop_size: { height: 224, width: 224 },
});

const CROP_FIELDS = ["do_center_crop", "crop_size"];
const MOBILE: Kind = {
  defaults: cropping({ shortest_edge: 256 }, 2, STANDARD),
  squareSize: false,
  fields: CROP_FIELDS,
};
const CLIP_KIND: Kind = {
  defaults: cropping({ shortest_edge: 224 }, 3, CLIP),
  squareSize: false,
  fields: CROP_FIELDS,
};

/** Hugging Face's processors, by the class name without its ending. */
const KINDS: Readonly<Record<string, Kind>> = {
  ViT: {
    defaults: { size: { height: 224, width: 224 }, resample: 2, ...STANDARD },
    squareSize: true,
    fields: [],
  },
  DeiT: {
    defaults: cropping({ height: 256, width: 256 }, 3, STANDARD),
    squareSize: true,
    fields: CROP_FIELDS,
  },
  ConvNext: {
    defaults: { size: { shortest_edge: 384 }, resample: 2, crop_pct: 224 / 256, ...STANDARD },
    squareSize: false,
    fields: ["crop_pct"],
  },
  EfficientNet: {
    defaults: {
      size: { height: 346, width: 346 },
      resample: 0,
      crop_size: { height: 289, width: 289 },
      include_top: true,
      ...STANDARD,
    },
    squareSize: true,
    fields: [...CROP_FIELDS, "rescale_offset", "include_top"],
  },
  MobileNetV1: MOBILE,
  MobileNetV2: MOBILE,
  Bit: CLIP_KIND,
  CLIP: CLIP_KIND,
  MobileViT: {
    defaults: {
      ...cropping({ shortest_edge: 224 }, 2, {}),
      crop_size: { height: 256, width: 256 },
      do_normalize: false,
      do_flip_channel_order: true,
    },
    squareSize: false,
    fields: [...CROP_FIELDS, "do_flip_channel_order"],
  },
  Detr: {
    defaults: { size: { shortest_edge: 800, longest_edge: 1333 }, resample: 2, do_pad: true, ...IMAGENET },
    squareSize: false,
    fields: ["do_pad", "pad_size", "max_size", "pad_and_return_pixel_mask"],
  },
};

/** Fields that every processor has. */
const COMMON = [
  "do_resize",
  "size",
  "resample",
  "do_rescale",
  "rescale_factor",
  "do_normalize",
  "image_mean",
  "image_std",
  "do_convert_rgb",
];

/** Fields that say nothing about pixels: names of classes, layouts of Python's arrays, labels of training. */
const WITHOUT_EFFECT = new Set([
  "image_processor_type",
  "feature_extractor_type",
  "processor_class",
  "_valid_processor_keys",
  "auto_map",
  "data_format",
  "input_data_format",
  "default_to_square",
  "device",
  "return_tensors",
  "disable_grouping",
  "format",
  "do_convert_annotations",
  "_name_or_path",
  "transformers_version",
]);

const fail = (expected: string, got: unknown): never => {
  throw new InputError(`imagePreprocessor: expected ${expected}, got ${JSON.stringify(got)}`);
};

/** Reads a `preprocessor_config.json`. @throws InputError for a kind, field or value that it does not know. */
export function readPreprocessorConfig(config: Json): PreprocessSteps {
  if (typeof config !== "object" || config === null || Array.isArray(config))
    fail("the object of a preprocessor_config.json", config);
  const type = config.image_processor_type ?? config.feature_extractor_type;
  const name =
    typeof type === "string"
      ? /^(\w+?)(?:ImageProcessor(?:Fast)?|FeatureExtractor)$/.exec(type)?.[1]
      : undefined;
  const kind = name === undefined ? undefined : KINDS[name];
  if (kind === undefined)
    return fail(
      `image_processor_type to be one of ${Object.keys(KINDS)
        .map((key) => `${key}ImageProcessor`)
        .join(", ")}`,
      type ?? null,
    );
  const known = new Set([...COMMON, ...kind.fields]);
  const given: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(config)) {
    if (WITHOUT_EFFECT.has(field) || value === null) continue;
    if (known.has(field)) given[field] = value;
    // a field of another processor that asks for nothing
    else if (value !== false) fail(`fields that ${String(type)} has`, { [field]: value });
  }
  return stepsOf(
    {
      do_resize: true,
      do_rescale: true,
      rescale_factor: 1 / 255,
      do_normalize: true,
      ...kind.defaults,
      ...given,
    },
    kind,
    given,
  );
}

function stepsOf(fields: Json, kind: Kind, given: Json): PreprocessSteps {
  const does = (field: string): boolean => {
    const value = fields[field] ?? false;
    return typeof value === "boolean" ? value : fail(`${field} as true or false`, value);
  };
  const pads = "pad_and_return_pixel_mask" in given ? does("pad_and_return_pixel_mask") : does("do_pad");
  const maxSize = fields.max_size ?? (typeof given.size === "number" ? 1333 : undefined);
  const rule = does("do_resize")
    ? resizeRule(fields.size, kind, kind.fields.includes("max_size") ? maxSize : undefined)
    : undefined;
  const shortest = rule !== undefined && "shortestEdge" in rule ? rule.shortestEdge : undefined;
  const isConvNext = kind.fields.includes("crop_pct");
  if (kind.squareSize && shortest !== undefined) fail("size with height and width", fields.size);
  if (isConvNext && rule !== undefined && shortest === undefined)
    fail("size with shortest_edge", fields.size);
  const square = shortest === undefined ? undefined : { height: shortest, width: shortest };
  const cropsByPart = isConvNext && shortest !== undefined && shortest < 384;
  const rescales = does("do_rescale");
  const normalizes = does("do_normalize");
  const colors = (field: string): number | readonly number[] => numbers(field, fields[field]);
  return {
    resize: cropsByPart
      ? { shortestEdge: Math.trunc((shortest as number) / number("crop_pct", fields.crop_pct)) }
      : isConvNext
        ? square
        : rule,
    resample: resampleOf(fields.resample),
    centerCrop: cropsByPart
      ? square
      : does("do_center_crop")
        ? sizeOf("crop_size", fields.crop_size)
        : undefined,
    rescaleFactor: rescales ? number("rescale_factor", fields.rescale_factor) : 1,
    offset: rescales && does("rescale_offset") ? -1 : 0,
    mean: normalizes ? colors("image_mean") : 0,
    standardDeviation: normalizes ? colors("image_std") : 1,
    secondDeviation: does("include_top") ? colors("image_std") : undefined,
    channelOrder: does("do_flip_channel_order") ? "BGR" : "RGB",
    pad: pads ? (fields.pad_size === undefined ? "largest" : sizeOf("pad_size", fields.pad_size)) : undefined,
  };
}

function number(field: string, value: unknown, isInteger = false): number {
  const isGood = typeof value === "number" && Number.isFinite(value) && value > 0;
  if (!isGood || (isInteger && !Number.isInteger(value)))
    return fail(`${field} as a positive ${isInteger ? "integer" : "number"}`, value);
  return value as number;
}

function numbers(field: string, value: unknown): number | readonly number[] {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (Array.isArray(value) && value.length === 3 && value.every((each) => Number.isFinite(each)))
    return value as number[];
  return fail(`${field} as a number or 3 of them`, value);
}

function sizeOf(field: string, value: unknown): PictureSize {
  if (typeof value === "number") return { height: number(field, value, true), width: value };
  const { height, width, ...others } = (value ?? {}) as Json;
  if (Object.keys(others).length > 0) return fail(`${field} with height and width`, value);
  return { height: number(`${field}.height`, height, true), width: number(`${field}.width`, width, true) };
}

function resizeRule(size: unknown, { squareSize }: Kind, maxSize: unknown): ResizeRule {
  const longest = maxSize === undefined ? undefined : number("max_size", maxSize, true);
  if (typeof size === "number")
    return squareSize
      ? sizeOf("size", size)
      : { shortestEdge: number("size", size, true), longestEdge: longest };
  if (typeof size !== "object" || size === null) return fail("size as a number or an object", size);
  const { shortest_edge, longest_edge, max_height, max_width, ...rest } = size as Json;
  if (Object.keys(rest).length > 0 && Object.keys(size).length === 2) return sizeOf("size", size);
  if (Object.keys(rest).length > 0) return fail("size of one kind", size);
  if (max_height !== undefined && max_width !== undefined && shortest_edge === undefined)
    return {
      maxHeight: number("size.max_height", max_height, true),
      maxWidth: number("size.max_width", max_width, true),
    };
  return {
    shortestEdge: number("size.shortest_edge", shortest_edge, true),
    longestEdge: longest_edge === undefined ? longest : number("size.longest_edge", longest_edge, true),
  };
}

function resampleOf(value: unknown): Resample {
  const name = typeof value === "number" ? BY_NUMBER[value] : value;
  return RESAMPLES.find((known) => known === name) ?? fail("resample from 0 to 5", value);
}
