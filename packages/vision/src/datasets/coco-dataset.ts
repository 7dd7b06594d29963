import { InputError } from "@ai/tensor";
import type { LabeledBox } from "../augment/sample.js";
import { assertOptionNames } from "../preprocess/checks.js";
import { type DataSource, openDataFiles, readTextOf } from "./data-files.js";
import { startOf } from "./image-folder.js";
import { PICTURE_OPTIONS, PictureDataset, type PictureDatasetOptions } from "./picture-dataset.js";

/** Options of {@link cocoDataset}. */
export interface CocoDatasetOptions extends PictureDatasetOptions {
  /** Path of the JSON file in the data set, for example `annotations/instances_val2017.json`. */
  readonly annotations: string;
  /** Folder of the pictures, for example `val2017`; the root when left out. */
  readonly folder?: string;
}

interface CocoFile {
  readonly images: readonly {
    readonly id: number;
    readonly file_name: string;
    readonly width?: number;
    readonly height?: number;
  }[];
  readonly annotations: readonly {
    readonly image_id: number;
    readonly category_id: number;
    readonly bbox: readonly number[];
    readonly iscrowd?: number;
    readonly area?: number;
  }[];
  readonly categories: readonly { readonly id: number; readonly name: string }[];
}

/**
 * A data set with COCO's detection annotations: one JSON file of images, annotations and categories. Labels count the
 * categories in the order of their ids, from 0.
 * @returns Pictures, those without objects too, with boxes in pixels.
 * @throws InputError for a file that is damaged or not COCO's; the message names it and what is wrong.
 * @see Lin et al. (2014), "Microsoft COCO: common objects in context", https://arxiv.org/abs/1405.0312
 * @example
 * const data = await cocoDataset("coco", { annotations: "annotations/instances_val2017.json", folder: "val2017" });
 */
export async function cocoDataset(source: DataSource, options: CocoDatasetOptions): Promise<PictureDataset> {
  assertOptionNames("cocoDataset", options, ["annotations", "folder", ...PICTURE_OPTIONS]);
  const { annotations: path, folder, ...rest } = options;
  const { signal } = rest;
  const files = await openDataFiles(source, signal === undefined ? {} : { signal });
  if (!files.paths.includes(path))
    throw new InputError(`cocoDataset: ${files.name}: expected the file ${path}, got none of that name`);
  const name = `cocoDataset: ${files.name}/${path}`;
  const content = parse(await readTextOf(files, path, signal), name);
  const categories = [...content.categories].sort((a, b) => a.id - b.id);
  const labels = new Map(categories.map(({ id }, label) => [id, label]));
  const boxes = new Map<number, LabeledBox[]>(content.images.map(({ id }) => [id, []]));
  content.annotations.forEach((annotation, index) => {
    const { image_id, category_id, bbox, iscrowd, area } = annotation;
    const label = labels.get(category_id);
    const [left, top, width, height] = Array.isArray(bbox) ? bbox : [];
    const isBox =
      Array.isArray(bbox) && bbox.length === 4 && bbox.every(Number.isFinite) && width >= 0 && height >= 0;
    const list = boxes.get(image_id);
    if (label === undefined || !isBox || list === undefined)
      throw new InputError(
        `${name}: expected annotations with image_id, category_id and bbox [x, y, width, height], got ${JSON.stringify({ image_id, category_id, bbox })} at position ${index}`,
      );
    list.push({
      box: [left, top, left + width, top + height],
      label,
      ...(iscrowd === 1 ? { isCrowd: true } : {}),
      ...(typeof area === "number" ? { area } : {}),
    });
  });
  const records = content.images.map(({ id, file_name, width, height }) => ({
    path: `${startOf(folder)}${file_name}`,
    boxes: boxes.get(id) ?? [],
    ...(width === undefined || height === undefined ? {} : { size: { width, height } }),
  }));
  return new PictureDataset(files, { classes: categories.map((category) => category.name), records }, rest);
}

function parse(text: string, name: string): CocoFile {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${name}: expected JSON, got ${(error as Error).message}`);
  }
  const lists = content as Partial<Record<keyof CocoFile, unknown>> | null;
  for (const field of ["images", "annotations", "categories"] as const)
    if (
      !Array.isArray(lists?.[field]) ||
      !lists[field].every((each) => typeof each === "object" && each !== null)
    )
      throw new InputError(
        `${name}: expected lists images, annotations and categories, got no list ${field}`,
      );
  const file = content as CocoFile;
  const bad = file.images.find(({ file_name }) => typeof file_name !== "string");
  if (bad !== undefined)
    throw new InputError(`${name}: expected images with file_name, got ${JSON.stringify(bad).slice(0, 80)}`);
  return file;
}
