import { InputError } from "@ai/tensor";
import type { LabeledBox } from "../augment/sample.js";
import { assertOptionNames } from "../preprocess/checks.js";
import type { Picture } from "../preprocess/picture.js";
import { type DataSource, openDataFiles, readTextOf } from "./data-files.js";
import { startOf } from "./image-folder.js";
import {
  isPicturePath,
  PICTURE_OPTIONS,
  PictureDataset,
  type PictureDatasetOptions,
  type PictureRecord,
} from "./picture-dataset.js";
import { MAX_CLASSES } from "./yolo-names.js";

/** Options of {@link yoloDataset}. */
export interface YoloDatasetOptions extends PictureDatasetOptions {
  /** Folder of the pictures, for example `images/train`. */
  readonly images: string;
  /** Folder of the text files; `images` replaced by `labels` when left out. */
  readonly labels?: string;
  /** Names of the classes; numbers as text when left out. */
  readonly classes?: readonly string[];
}

/**
 * A data set in YOLO's form: beside each picture a text file whose lines are `class x y width height`, the middle and
 * size of a box as parts of the picture's width and height. A picture without a file has no objects.
 * @returns Pictures with boxes in pixels.
 * @throws InputError for a line that is none, naming file and line.
 * @example
 * const data = await yoloDataset("coco128", { images: "images/train2017", labels: "labels/train2017" });
 */
export async function yoloDataset(source: DataSource, options: YoloDatasetOptions): Promise<PictureDataset> {
  assertOptionNames("yoloDataset", options, ["images", "labels", "classes", ...PICTURE_OPTIONS]);
  const {
    images,
    labels = images?.replace(/(^|\/)images(?=\/|$)/, "$1labels"),
    classes: given,
    ...rest
  } = options;
  if (typeof images !== "string")
    throw new InputError(`yoloDataset: expected images as a folder's path, got ${typeof images}`);
  const { signal } = rest;
  const files = await openDataFiles(source, signal === undefined ? {} : { signal });
  const start = startOf(images);
  const known = new Set(files.paths);
  const records: PictureRecord[] = [];
  let highest = -1;
  for (const path of files.paths) {
    if (!path.startsWith(start) || !isPicturePath(path)) continue;
    signal?.throwIfAborted();
    const file = `${startOf(labels)}${path.slice(start.length).replace(/\.\w+$/, ".txt")}`;
    const lines = known.has(file)
      ? parseLines(await readTextOf(files, file, signal), `yoloDataset: ${files.name}/${file}`, given?.length)
      : [];
    for (const [label] of lines) highest = Math.max(highest, label);
    records.push({ path, boxes: (picture) => lines.map((line) => boxOf(line, picture)) });
  }
  if (records.length === 0)
    throw new InputError(`yoloDataset: ${files.name}/${images}: expected pictures, got none`);
  const classes = given ?? Array.from({ length: highest + 1 }, (_, label) => String(label));
  return new PictureDataset(files, { classes, records }, rest);
}

type Line = readonly [label: number, x: number, y: number, width: number, height: number];

function parseLines(text: string, name: string, numClasses = MAX_CLASSES): Line[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    if (line.trim() === "") return [];
    const fields = line.trim().split(/\s+/);
    const values = fields.map(Number);
    const [label] = values;
    if (
      values.length !== 5 ||
      !values.every(Number.isFinite) ||
      !Number.isInteger(label) ||
      label < 0 ||
      label >= numClasses
    )
      throw new InputError(
        `${name}: expected "class x y width height" with a class below ${numClasses} in line ${index + 1}, got ${JSON.stringify(line.slice(0, 60))}`,
      );
    return [values as unknown as Line];
  });
}

function boxOf([label, x, y, width, height]: Line, picture: Picture): LabeledBox {
  return {
    label,
    box: [
      (x - width / 2) * picture.width,
      (y - height / 2) * picture.height,
      (x + width / 2) * picture.width,
      (y + height / 2) * picture.height,
    ],
  };
}
