import { InputError } from "@ai/tensor";
import type { LabeledBox, VisionSample } from "../augment/sample.js";
import { convertChannels } from "../preprocess/convert-channels.js";
import { decodePicture } from "../preprocess/decode-picture.js";
import type { Picture, PictureChannels } from "../preprocess/picture.js";
import type { DataFiles } from "./data-files.js";

/** Names of pictures that are read. */
const PICTURE_NAME = /\.(jpe?g|png|webp|gif)$/i;

/** Whether a path is one of a picture. */
export const isPicturePath = (path: string): boolean => PICTURE_NAME.test(path);

/** Options that all data sets of picture files share. */
export interface PictureDatasetOptions {
  /** 1 for grey, 3 for RGB, 4 for RGBA; RGB unless it says otherwise. */
  readonly channels?: PictureChannels;
  /** Largest width times height of a picture; 2²⁶ when left out. */
  readonly maxPixels?: number;
  /** Ends listing and reading of annotations. */
  readonly signal?: AbortSignal;
}

/** Names of {@link PictureDatasetOptions}. */
export const PICTURE_OPTIONS = ["channels", "maxPixels", "signal"] as const;

/** A picture of a data set. */
export interface PictureItem extends VisionSample {
  /** Its path in the data set. */
  readonly path: string;
}

/** What is known of a picture before it is read. */
export interface PictureRecord {
  readonly path: string;
  readonly label?: number;
  /** Its objects, in pixels; a function where the size must be known first. */
  readonly boxes?: readonly LabeledBox[] | ((picture: Picture) => readonly LabeledBox[]);
  /** The size that the annotations say. */
  readonly size?: { readonly width: number; readonly height: number };
}

/** Pictures that are read and decoded when they are asked for: a `Dataset` of samples. */
export class PictureDataset {
  /** Names of the classes; labels are indices into it. */
  readonly classes: readonly string[];
  readonly #files: DataFiles;
  readonly #records: readonly PictureRecord[];
  readonly #channels: PictureChannels;
  readonly #maxPixels: number;

  /** @internal Made by `imageFolder`, `cocoDataset`, `vocDataset`, `yoloDataset`. */
  constructor(
    files: DataFiles,
    { classes, records }: { readonly classes: readonly string[]; readonly records: readonly PictureRecord[] },
    { channels = 3, maxPixels = 2 ** 26 }: PictureDatasetOptions,
  ) {
    if (records.length === 0) throw new InputError(`${files.name}: expected at least one picture, got none`);
    this.#files = files;
    this.classes = classes;
    this.#records = records;
    this.#channels = channels;
    this.#maxPixels = maxPixels;
  }

  get length(): number {
    return this.#records.length;
  }

  /** Path of each picture. */
  get paths(): readonly string[] {
    return this.#records.map(({ path }) => path);
  }

  /** Class index of each picture, −1 where it has none. */
  get labels(): readonly number[] {
    return this.#records.map(({ label }) => label ?? -1);
  }

  /**
   * Reads a picture; what is known of it comes with it.
   * @throws InputError for an index outside [0, length), or a damaged file, which it names.
   */
  async get(index: number): Promise<PictureItem> {
    const record = this.#records[index];
    if (record === undefined)
      throw new InputError(`PictureDataset: expected an index in [0, ${this.length}), got ${index}`);
    const { path, label, boxes, size } = record;
    const name = `${this.#files.name}/${path}`;
    const decoded = await decodePicture(
      await this.#files.read(path),
      { name, maxPixels: this.#maxPixels },
      true,
    );
    const picture = convertChannels(decoded, this.#channels);
    if (size !== undefined && (size.width !== picture.width || size.height !== picture.height))
      throw new InputError(
        `${name}: expected ${size.width} × ${size.height} pixels as its annotations say, got ${picture.width} × ${picture.height}`,
      );
    return {
      path,
      picture,
      ...(label === undefined ? {} : { label }),
      ...(boxes === undefined ? {} : { boxes: typeof boxes === "function" ? boxes(picture) : boxes }),
    };
  }
}
