import { InputError } from "@ai/tensor";
import { assertOptionNames } from "../preprocess/checks.js";
import { type DataSource, openDataFiles } from "./data-files.js";
import {
  isPicturePath,
  PICTURE_OPTIONS,
  PictureDataset,
  type PictureDatasetOptions,
} from "./picture-dataset.js";

/** Options of {@link imageFolder}. */
export interface ImageFolderOptions extends PictureDatasetOptions {
  /** The folder whose folders are the classes, for example `train`; the root when left out. */
  readonly folder?: string;
  /** The classes in the order of their labels; the folders' names in alphabetical order when left out. */
  readonly classes?: readonly string[];
}

/**
 * Pictures in a folder a class, `train/cat/1.jpg`, as torchvision's `ImageFolder`.
 * @throws InputError when there are no pictures, or one lies in a folder that `classes` has not.
 * @example
 * const data = await imageFolder("cifar10.tar", { folder: "train" });
 * const loader = new DataLoader(new MappedDataset(data, augment), { batchSize: 32, shuffle: true });
 */
export async function imageFolder(
  source: DataSource,
  options: ImageFolderOptions = {},
): Promise<PictureDataset> {
  assertOptionNames("imageFolder", options, ["folder", "classes", ...PICTURE_OPTIONS]);
  const { folder, classes: given, ...rest } = options;
  const files = await openDataFiles(source, rest.signal === undefined ? {} : { signal: rest.signal });
  const start = startOf(folder);
  const paths = files.paths.filter((path) => path.startsWith(start) && isPicturePath(path));
  const classOf = (path: string): string => path.slice(start.length).split("/")[0];
  const inClasses = paths.filter((path) => path.slice(start.length).includes("/"));
  const classes = given ?? [...new Set(inClasses.map(classOf))].sort();
  const unknown = inClasses.find((path) => !classes.includes(classOf(path)));
  if (unknown !== undefined)
    throw new InputError(
      `imageFolder: ${files.name}/${unknown}: expected a class of ${classes.join(", ")}, got ${classOf(unknown)}`,
    );
  const records = inClasses.map((path) => ({ path, label: classes.indexOf(classOf(path)) }));
  if (records.length === 0)
    throw new InputError(
      `imageFolder: ${files.name}: expected pictures in a folder a class${folder === undefined ? "" : ` below ${folder}`}, got none`,
    );
  return new PictureDataset(files, { classes, records }, rest);
}

/** `train` and `train/` alike as `train/`. */
export function startOf(folder: string | undefined): string {
  return folder === undefined || folder === "" ? "" : folder.replace(/\/*$/, "/");
}
