import { InputError } from "@ai/tensor";
import { assertOneOf, assertOptionNames } from "../preprocess/checks.js";
import { cocoDataset } from "./coco-dataset.js";
import { type DataFiles, type DataSource, openDataFiles, readTextOf } from "./data-files.js";
import { imageFolder } from "./image-folder.js";
import { cifarDataset, mnistDataset, type PackedPictures } from "./packed-datasets.js";
import { isPicturePath, type PictureDataset } from "./picture-dataset.js";
import { vocDataset } from "./voc-dataset.js";
import { yoloDataset } from "./yolo-dataset.js";
import { parseYoloNames } from "./yolo-names.js";

/** Forms of data sets that {@link openPictureSplits} opens. */
export const PICTURE_FORMATS = ["folders", "voc", "coco", "yolo", "cifar10", "cifar100", "idx"] as const;

/** A form of a data set: what `imageFolder`, `vocDataset`, `cocoDataset`, `yoloDataset`, `cifarDataset` and `mnistDataset` read. */
export type PictureFormat = (typeof PICTURE_FORMATS)[number];

/** A part of a data set. */
export type PictureSplit = "train" | "validation" | "test" | "all";

/** A data set with its parts. */
export interface PictureSplits {
  readonly format: PictureFormat;
  /** What is known of each picture: its class, or its objects. */
  readonly annotations: "classes" | "boxes";
  /** Names of the classes, the same in every part. */
  readonly classes: readonly string[];
  /** The parts that there are; `all` where the data is not divided. */
  readonly splits: Readonly<Partial<Record<PictureSplit, PictureDataset | PackedPictures>>>;
}

/** Options of {@link openPictureSplits}. */
export interface OpenPictureSplitsOptions {
  /** Told apart by the names of the files when left out. */
  readonly format?: PictureFormat;
  /** Ends listing and reading of annotations. */
  readonly signal?: AbortSignal;
}

/** What each part is called, in whatever data set. */
const SPLIT_NAMES: Readonly<Record<Exclude<PictureSplit, "all">, RegExp>> = {
  train: /^(train|training)(\d{4})?$/i,
  validation: /^(val|valid|validation|dev)(\d{4})?$/i,
  test: /^(test|testing|t10k)(\d{4})?$/i,
};

const splitOf = (name: string): PictureSplit | undefined =>
  (["train", "validation", "test"] as const).find((split) => SPLIT_NAMES[split].test(name));

const ANNOTATION = /(^|\/)Annotations\/[^/]+\.xml$/;
const COCO_FILE = /(^|\/)((instances|annotations|_annotations|coco)[^/]*|(annotations\/[^/]+))\.json$/i;
const YOLO_LABELS = /(^|\/)labels\/([^/]+\/)*[^/]+\.txt$/;
const CIFAR10 = /(^|\/)(data|test)_batch(_\d)?\.bin$/;
const CIFAR100 = /(^|\/)(train|test)\.bin$/;
const IDX = /(^|\/)([^/]*?)-?(images|labels)[-.]idx[13]-ubyte(\.gz)?$/;

/** The form of a data set by the names of its files; undefined for none that is known. */
function formatOf({ paths }: DataFiles): PictureFormat | undefined {
  const some = (pattern: RegExp): boolean => paths.some((path) => pattern.test(path));
  if (some(ANNOTATION)) return "voc";
  if (some(COCO_FILE)) return "coco";
  if (some(YOLO_LABELS)) return "yolo";
  if (some(CIFAR10)) return "cifar10";
  if (some(CIFAR100)) return "cifar100";
  if (some(IDX)) return "idx";
  return paths.some((path) => path.includes("/") && isPicturePath(path)) ? "folders" : undefined;
}

interface Opened {
  readonly classes: readonly string[];
  readonly splits: PictureSplits["splits"];
}

const OPENERS: Readonly<
  Record<PictureFormat, (files: DataFiles, signal: AbortSignal | undefined) => Promise<Opened>>
> = {
  folders: openFolders,
  voc: openVoc,
  coco: openCoco,
  yolo: openYolo,
  cifar10: (files) => openCifar(files, 10),
  cifar100: (files) => openCifar(files, 100),
  idx: openIdx,
};

/**
 * Opens a data set of pictures of any form that this package reads, and finds its parts: `train/cat/1.jpg`, Pascal VOC's
 * `ImageSets/Main/train.txt`, COCO's `instances_val2017.json`, YOLO's `images/train`, CIFAR's and MNIST's files.
 * @returns the parts, with the same classes in each.
 * @throws InputError for data of no known form, or damaged files, which it names; the signal's reason.
 * @example
 * const { classes, splits } = await openPictureSplits("cifar10.tar");
 * const trained = await trainImageClassifier(splits.train!, { validation: splits.test });
 */
export async function openPictureSplits(
  source: DataSource,
  options: OpenPictureSplitsOptions = {},
): Promise<PictureSplits> {
  assertOptionNames("openPictureSplits", options, ["format", "signal"]);
  const { signal } = options;
  if (options.format !== undefined)
    assertOneOf("openPictureSplits", "format", options.format, PICTURE_FORMATS);
  const files = await openDataFiles(source, signal === undefined ? {} : { signal });
  const format = options.format ?? formatOf(files);
  if (format === undefined)
    throw new InputError(
      `openPictureSplits: ${files.name}: expected pictures in a folder a class, or files of Pascal VOC, COCO, YOLO, CIFAR or MNIST, got ${files.paths.length === 0 ? "no files" : `${files.paths.length} files such as ${files.paths[0]}`}`,
    );
  const { classes, splits } = await OPENERS[format](files, signal);
  const annotations = format === "voc" || format === "coco" || format === "yolo" ? "boxes" : "classes";
  return { format, annotations, classes, splits };
}

const withSignal = (signal: AbortSignal | undefined): { readonly signal?: AbortSignal } =>
  signal === undefined ? {} : { signal };

/** Groups names by the part that they name. @throws InputError where two name the same part. */
function groupBySplit(name: string, folders: Iterable<string>, key: (folder: string) => string) {
  const found = new Map<PictureSplit, string>();
  for (const folder of folders) {
    const split = splitOf(key(folder));
    if (split === undefined) continue;
    const other = found.get(split);
    if (other !== undefined)
      throw new InputError(
        `openPictureSplits: ${name}: expected one part called ${split}, got ${other} and ${folder}`,
      );
    found.set(split, folder);
  }
  return found;
}

/** A folder's own name. */
const lastOf = (path: string): string => path.replace(/\/$/, "").split("/").at(-1) ?? "";

async function openFolders(files: DataFiles, signal?: AbortSignal): Promise<Opened> {
  const pictures = files.paths.filter(isPicturePath);
  // an archive often holds everything in one folder
  const [first, ...rest] = new Set(pictures.map((path) => path.split("/")[0]));
  const isDeep = pictures.some((path) => path.split("/").length > 2);
  const root = rest.length === 0 && isDeep && splitOf(first) === undefined ? `${first}/` : "";
  const below = (start: string): Set<string> =>
    new Set(
      pictures
        .filter((path) => path.startsWith(start) && path.slice(start.length).includes("/"))
        .map((path) => path.slice(start.length).split("/")[0]),
    );
  const parts = groupBySplit(files.name, below(root), (folder) => folder);
  const folders: [PictureSplit, string][] =
    parts.size === 0
      ? [["all", root]]
      : [...parts].map(([split, folder]) => [split, `${root}${folder}/`] as [PictureSplit, string]);
  const classes = [...new Set(folders.flatMap(([, folder]) => [...below(folder)]))].sort();
  const splits: Partial<Record<PictureSplit, PictureDataset>> = {};
  for (const [split, folder] of folders)
    splits[split] = await imageFolder(files, { folder, classes, ...withSignal(signal) });
  return { classes, splits };
}

async function openVoc(files: DataFiles, signal?: AbortSignal): Promise<Opened> {
  const all = await vocDataset(files, withSignal(signal));
  const { classes } = all;
  const lists = files.paths.filter((path) => /(^|\/)ImageSets\/Main\/[^/]+\.txt$/.test(path));
  const parts = groupBySplit(files.name, lists, (path) => lastOf(path).replace(/\.txt$/, ""));
  const splits: Partial<Record<PictureSplit, PictureDataset>> = {};
  for (const [split, path] of parts) {
    const name = lastOf(path).replace(/\.txt$/, "");
    splits[split] = await vocDataset(files, { split: name, classes, ...withSignal(signal) });
  }
  return { classes, splits: parts.size === 0 ? { all } : splits };
}

/** The part that a COCO file is of: by its name, else by its folder's. */
function cocoSplit(path: string): string {
  const words = lastOf(path)
    .replace(/\.json$/i, "")
    .split(/[_\-.]/);
  return words.find((word) => splitOf(word) !== undefined) ?? path.split("/").at(-2) ?? "";
}

async function openCoco(files: DataFiles, signal?: AbortSignal): Promise<Opened> {
  const named = files.paths.filter((path) => COCO_FILE.test(path) && !/captions|keypoints|stuff/.test(path));
  const found = named.length > 0 ? named : files.paths.filter((path) => /\.json$/i.test(path));
  if (found.length === 0)
    throw new InputError(`openPictureSplits: ${files.name}: expected a JSON file of annotations, got none`);
  const parts = groupBySplit(files.name, found, cocoSplit);
  const known = new Set(files.paths);
  const open = async (path: string): Promise<PictureDataset> => {
    const name = firstFileName(await readTextOf(files, path, signal), `${files.name}/${path}`);
    const folder = pictureFolder(known, name, path);
    return cocoDataset(files, { annotations: path, folder, ...withSignal(signal) });
  };
  if (parts.size === 0 && found.length > 1)
    throw new InputError(
      `openPictureSplits: ${files.name}: expected files of annotations with train, val or test in their names, got ${found.join(", ")}`,
    );
  const splits: Partial<Record<PictureSplit, PictureDataset>> = {};
  for (const [split, path] of parts.size === 0 ? ([["all", found[0]]] as const) : parts)
    splits[split] = await open(path);
  const [first, ...others] = Object.values(splits);
  for (const { classes } of others)
    if (JSON.stringify(classes) !== JSON.stringify(first.classes))
      throw new InputError(
        `openPictureSplits: ${files.name}: expected the same categories in every part, got ${first.classes.join(", ")} and ${classes.join(", ")}`,
      );
  return { classes: first.classes, splits };
}

/** The first picture that a COCO file names. @throws InputError without one, or for one that is no JSON. */
function firstFileName(text: string, file: string): string {
  const written = /"file_name"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(text)?.[1];
  if (written === undefined)
    throw new InputError(
      `openPictureSplits: ${file}: expected images with file_name, got none; give a file of COCO's instances`,
    );
  try {
    return JSON.parse(written) as string;
  } catch (cause) {
    throw new InputError(
      `openPictureSplits: ${file}: expected file_name as JSON writes text, got ${written}; write a backslash as \\\\`,
      { cause },
    );
  }
}

/** Where a COCO file's pictures are. */
function pictureFolder(known: ReadonlySet<string>, name: string, annotations: string): string {
  const beside = annotations.includes("/") ? annotations.replace(/\/[^/]+$/, "/") : "";
  const above = beside.replace(/[^/]+\/$/, "");
  const part = /[_\-.]?((?:train|val|valid|test)\d*)\.json$/i.exec(annotations)?.[1] ?? "";
  const candidates = [above, beside].flatMap((start) => [
    `${start}${part}`,
    `${start}images/${part}`,
    `${start}images`,
    start,
  ]);
  const found = candidates.find((folder) =>
    known.has(folder === "" ? name : `${folder.replace(/\/?$/, "/")}${name}`),
  );
  return found ?? candidates[0]; // the error names the picture that is missing there
}

async function openYolo(files: DataFiles, signal?: AbortSignal): Promise<Opened> {
  const folders = new Set<string>();
  for (const path of files.paths) {
    const folder = /^(.*\/)?images(\/[^/]+)?(?=\/[^/]+$)/.exec(path)?.[0];
    if (folder !== undefined && isPicturePath(path)) folders.add(folder);
  }
  if (folders.size === 0)
    throw new InputError(
      `openPictureSplits: ${files.name}: expected pictures below a folder images, got none`,
    );
  // images/train, or train/images
  const keyOf = (folder: string): string =>
    folder.split("/").find((part) => splitOf(part) !== undefined) ?? "";
  const parts = groupBySplit(files.name, folders, keyOf);
  const chosen = parts.size === 0 ? ([["all", [...folders][0]]] as const) : [...parts];
  if (parts.size === 0 && folders.size > 1)
    throw new InputError(
      `openPictureSplits: ${files.name}: expected folders called train, val or test below images, got ${[...folders].join(", ")}`,
    );
  const labels = (images: string): string => labelFolder(files, images);
  const given = await namesFor(files, signal);
  const opened = async (images: string, classes?: readonly string[]): Promise<PictureDataset> =>
    yoloDataset(files, {
      images,
      labels: labels(images),
      ...(classes === undefined ? {} : { classes }),
      ...withSignal(signal),
    });
  let classes = given;
  // without names: as many as the part with the highest number has
  for (const [, images] of given === undefined ? chosen : []) {
    const set = await opened(images);
    if (classes === undefined || set.classes.length > classes.length) classes = set.classes;
  }
  const splits: Partial<Record<PictureSplit, PictureDataset>> = {};
  for (const [split, images] of chosen) splits[split] = await opened(images, classes);
  return { classes: classes ?? [], splits };
}

/** Folder of the text files: `images` replaced by `labels`, at the same place or below any folder. */
function labelFolder({ paths }: DataFiles, images: string): string {
  const usual = images.replace(/(^|\/)images(?=\/|$)/, "$1labels");
  const folders = new Set(
    paths.filter((path) => YOLO_LABELS.test(path)).map((path) => path.replace(/\/[^/]+$/, "")),
  );
  if (folders.has(usual)) return usual;
  const tail = usual.slice(usual.lastIndexOf("labels"));
  return [...folders].find((folder) => folder.endsWith(`/${tail}`)) ?? usual;
}

/** Names of the classes from a YOLO data set's YAML file or `classes.txt`; undefined without one. */
async function namesFor(files: DataFiles, signal?: AbortSignal): Promise<readonly string[] | undefined> {
  for (const path of files.paths) {
    if (!/(^|\/)(classes\.txt|[^/]+\.(names|ya?ml))$/.test(path)) continue;
    const text = await readTextOf(files, path, signal);
    const names = parseYoloNames(text, /\.ya?ml$/.test(path), `${files.name}/${path}`);
    if (names !== undefined) return names;
  }
  return undefined;
}

async function openCifar(files: DataFiles, numClasses: 10 | 100): Promise<Opened> {
  const names = numClasses === 10 ? CIFAR10 : CIFAR100;
  const found = files.paths.filter((path) => names.test(path));
  const splits: Partial<Record<PictureSplit, PackedPictures>> = {};
  for (const split of ["train", "test"] as const) {
    const wanted = found.filter((path) => lastOf(path).startsWith("test") === (split === "test"));
    const bytes: Uint8Array[] = [];
    for (const path of wanted) bytes.push(await files.read(path));
    if (bytes.length > 0) splits[split] = cifarDataset(bytes, { numClasses });
  }
  return withClasses(files, splits);
}

async function openIdx(files: DataFiles): Promise<Opened> {
  const splits: Partial<Record<PictureSplit, PackedPictures>> = {};
  const found = new Map<PictureSplit, string>();
  const known = new Set(files.paths);
  for (const path of files.paths) {
    const [, , prefix, kind] = IDX.exec(path) ?? [];
    // beside an unpacked file, the packed one is the same
    if (kind !== "images" || (path.endsWith(".gz") && known.has(path.slice(0, -3)))) continue;
    const split = splitOf(prefix.split(/[-_.]/).at(-1) ?? "") ?? "all"; // emnist-letters-train: train
    const other = found.get(split);
    if (other !== undefined)
      throw new InputError(
        `openPictureSplits: ${files.name}: expected one file of pictures for the part ${split}, got ${other} and ${path}; give a folder with one data set, its files named train and test`,
      );
    found.set(split, path);
    const labels = path.replace(/images(?=[-.]idx)/, "labels").replace("idx3", "idx1");
    if (!known.has(labels))
      throw new InputError(
        `openPictureSplits: ${files.name}: expected ${labels} beside ${path}, got no such file`,
      );
    splits[split] = await mnistDataset({
      images: await files.read(path),
      labels: await files.read(labels),
    });
  }
  return withClasses(files, splits);
}

function withClasses(files: DataFiles, splits: Partial<Record<PictureSplit, PackedPictures>>): Opened {
  const [first] = Object.values(splits);
  if (first === undefined)
    throw new InputError(`openPictureSplits: ${files.name}: expected files of pictures and labels, got none`);
  return { classes: first.classes, splits };
}
