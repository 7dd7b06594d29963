import { InputError } from "@ai/tensor";
import type { LabeledBox } from "../augment/sample.js";
import { assertOptionNames } from "../preprocess/checks.js";
import { type DataFiles, type DataSource, openDataFiles, readTextOf } from "./data-files.js";
import {
  isPicturePath,
  PICTURE_OPTIONS,
  PictureDataset,
  type PictureDatasetOptions,
  type PictureRecord,
} from "./picture-dataset.js";
import { childOf, parseXml, type XmlElement } from "./xml.js";

/** Options of {@link vocDataset}. */
export interface VocDatasetOptions extends PictureDatasetOptions {
  /** The list `ImageSets/Main/SPLIT.txt`; every annotated picture when left out. */
  readonly split?: string;
  /** The classes in the order of their labels; the names that occur, in alphabetical order, when left out. */
  readonly classes?: readonly string[];
  /** What the first pixel is called: 1 as the format says (the default), or 0 as some tools write. */
  readonly firstPixel?: 0 | 1;
}

/** An object with its class's name. */
interface NamedBox extends Omit<LabeledBox, "label"> {
  readonly name: string;
}

/**
 * A data set in Pascal VOC's form: `JPEGImages`, `Annotations/*.xml`, `ImageSets/Main/*.txt`, below any folder.
 * @returns Pictures with boxes in pixels; the origin is the top left corner, right and bottom edge are exclusive.
 * @throws InputError for a file that is damaged or missing, or a class that `classes` has not; the message names the file.
 * @see Everingham et al. (2010), "The Pascal visual object classes (VOC) challenge", https://doi.org/10.1007/s11263-009-0275-4
 * @example
 * const data = await vocDataset("bccd.tar", { split: "train" });
 */
export async function vocDataset(
  source: DataSource,
  options: VocDatasetOptions = {},
): Promise<PictureDataset> {
  assertOptionNames("vocDataset", options, ["split", "classes", "firstPixel", ...PICTURE_OPTIONS]);
  const { split, classes: given, firstPixel = 1, ...rest } = options;
  if (firstPixel !== 0 && firstPixel !== 1)
    throw new InputError(`vocDataset: expected firstPixel 0 or 1, got ${String(firstPixel)}`);
  const { signal } = rest;
  const files = await openDataFiles(source, signal === undefined ? {} : { signal });
  const annotation = files.paths.find((path) => /(^|\/)Annotations\/[^/]+\.xml$/.test(path));
  if (annotation === undefined)
    throw new InputError(`vocDataset: ${files.name}: expected Annotations/*.xml, got no such file`);
  const root = annotation.replace(/Annotations\/[^/]+$/, "");
  const names = await namesOf(files, root, split, signal);
  const pictures = new Map(
    files.paths
      .filter((path) => path.startsWith(`${root}JPEGImages/`) && isPicturePath(path))
      .map((path) => [path.slice(root.length + 11).replace(/\.\w+$/, ""), path]),
  );
  const found: { path: string; size?: PictureRecord["size"]; boxes: NamedBox[]; xml: string }[] = [];
  for (const name of names) {
    signal?.throwIfAborted();
    const xml = `${root}Annotations/${name}.xml`;
    const path = pictures.get(name);
    if (path === undefined)
      throw new InputError(
        `vocDataset: ${files.name}/${root}JPEGImages: expected a picture ${name}, got none`,
      );
    const element = parseXml(await readTextOf(files, xml, signal), `${files.name}/${xml}`);
    found.push({
      path,
      xml,
      size: sizeOf(element),
      boxes: boxesOf(element, `${files.name}/${xml}`, firstPixel),
    });
  }
  const classes = given ?? [...new Set(found.flatMap(({ boxes }) => boxes.map(({ name }) => name)))].sort();
  const records = found.map(({ path, size, boxes, xml }) => ({
    path,
    size,
    boxes: boxes.map(({ name, ...box }) => {
      const label = classes.indexOf(name);
      if (label < 0)
        throw new InputError(
          `vocDataset: ${files.name}/${xml}: expected a class of ${classes.join(", ")}, got ${JSON.stringify(name)}`,
        );
      return { ...box, label };
    }),
  }));
  return new PictureDataset(files, { classes, records }, rest);
}

async function namesOf(
  files: DataFiles,
  root: string,
  split: string | undefined,
  signal?: AbortSignal,
): Promise<string[]> {
  if (split === undefined)
    return files.paths
      .filter((path) => path.startsWith(`${root}Annotations/`) && path.endsWith(".xml"))
      .map((path) => path.slice(root.length + 12, -4));
  const list = `${root}ImageSets/Main/${split}.txt`;
  if (!files.paths.includes(list)) {
    const there = files.paths.filter((path) => path.startsWith(`${root}ImageSets/Main/`));
    throw new InputError(
      `vocDataset: ${files.name}: expected the list ${list}, got ${there.length === 0 ? "no lists" : there.join(", ")}`,
    );
  }
  // lists of one class have a second column: 1, −1 or 0
  const lines = (await readTextOf(files, list, signal)).split(/\r?\n/);
  return lines.map((line) => line.trim().split(/\s+/)[0]).filter((name) => name !== "");
}

/** The size, where it is given: some tools write 0. */
function sizeOf(element: XmlElement): PictureRecord["size"] {
  const size = childOf(element, "size");
  const [width, height] = ["width", "height"].map((name) => Number(childOf(size, name)?.text ?? 0));
  return width > 0 && height > 0 ? { width, height } : undefined;
}

function boxesOf(element: XmlElement, name: string, firstPixel: number): NamedBox[] {
  if (element.name !== "annotation")
    throw new InputError(`${name}: expected an annotation, got <${element.name}>`);
  return element.children
    .filter((child) => child.name === "object")
    .map((object) => {
      const bounds = childOf(object, "bndbox");
      const [left, top, right, bottom] = ["xmin", "ymin", "xmax", "ymax"].map((edge) => {
        const text = childOf(bounds, edge)?.text ?? "";
        return text === "" ? Number.NaN : Number(text);
      });
      if (![left, top, right, bottom].every(Number.isFinite) || right < left || bottom < top)
        throw new InputError(
          `${name}: expected a box with xmin, ymin, xmax, ymax in order, got ${left}, ${top}, ${right}, ${bottom}`,
        );
      const kind = childOf(object, "name")?.text ?? "";
      if (kind === "") throw new InputError(`${name}: expected an object with a name, got none`);
      const isDifficult = childOf(object, "difficult")?.text === "1";
      // the last pixel is inside: its right edge is one further
      const box = [
        left - firstPixel,
        top - firstPixel,
        right - firstPixel + 1,
        bottom - firstPixel + 1,
      ] as const;
      return { name: kind, box, ...(isDifficult ? { isDifficult } : {}) };
    });
}
