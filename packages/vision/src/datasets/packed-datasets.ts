import { InputError } from "@ai/tensor";
import type { VisionSample } from "../augment/sample.js";
import { assertOptionNames } from "../preprocess/checks.js";
import type { Picture } from "../preprocess/picture.js";

/** Pictures that lie one after the other in memory: a `Dataset` of samples. */
export class PackedPictures {
  /** Names of the classes, where they are known. */
  readonly classes: readonly string[];
  readonly #labels: ArrayLike<number>;
  readonly #pictureAt: (index: number) => Picture;

  /** @internal Made by `mnistDataset` and `cifarDataset`. */
  constructor(labels: ArrayLike<number>, pictureAt: (index: number) => Picture, classes: readonly string[]) {
    this.#labels = labels;
    this.#pictureAt = pictureAt;
    this.classes = classes;
  }

  get length(): number {
    return this.#labels.length;
  }

  /** Class index of each picture. */
  get labels(): readonly number[] {
    return Array.from(this.#labels);
  }

  /** A picture and its label. @throws InputError for an index outside [0, length). */
  get(index: number): VisionSample & { readonly label: number } {
    if (!Number.isInteger(index) || index < 0 || index >= this.length)
      throw new InputError(`PackedPictures: expected an index in [0, ${this.length}), got ${index}`);
    return { picture: this.#pictureAt(index), label: this.#labels[index] };
  }
}

async function unzipped(bytes: Uint8Array, name: string): Promise<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    const stream = new Blob([bytes.slice()]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (error) {
    throw new InputError(`${name}: expected a whole gzip file, got ${(error as Error).message}`);
  }
}

/** An IDX file: a shape and its bytes. */
export interface IdxFile {
  readonly shape: readonly number[];
  readonly values: Uint8Array;
}

/**
 * Reads an IDX file of bytes, as MNIST has them, compressed or not.
 * @throws InputError when it is damaged, cut off or of another type than bytes.
 * @see LeCun, Cortes, Burges, "The MNIST database of handwritten digits", http://yann.lecun.com/exdb/mnist/
 */
export async function readIdx(bytes: Uint8Array, name = "IDX file"): Promise<IdxFile> {
  const file = await unzipped(bytes, name);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const rank = file[3];
  if (file.length < 4 || file[0] !== 0 || file[1] !== 0 || file.length < 4 + 4 * rank || rank === 0)
    throw new InputError(`${name}: expected an IDX file, got another; its first bytes say type and rank`);
  if (file[2] !== 8) throw new InputError(`${name}: expected an IDX file of bytes, got type ${file[2]}`);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const size = shape.reduce((product, length) => product * length, 1);
  if (file.length !== 4 + 4 * rank + size)
    throw new InputError(
      `${name}: expected ${size} bytes for [${shape.join(", ")}], got ${file.length - 4 - 4 * rank}`,
    );
  return { shape, values: file.subarray(4 + 4 * rank) };
}

/** The two files of {@link mnistDataset}, compressed or not. */
export interface MnistFiles {
  /** `[count, height, width]` */
  readonly images: Uint8Array;
  /** `[count]` */
  readonly labels: Uint8Array;
  /** Names of the classes; the digits when left out. */
  readonly classes?: readonly string[];
}

/**
 * MNIST, Fashion-MNIST and others of their form: grey pictures and labels as two IDX files.
 * @throws InputError when a file is damaged, or the two do not belong together.
 * @example
 * const data = await mnistDataset({ images: await readFile("train-images.gz"), labels: await readFile("train-labels.gz") });
 */
export async function mnistDataset(files: MnistFiles): Promise<PackedPictures> {
  assertOptionNames("mnistDataset", files, ["images", "labels", "classes"]);
  const images = await readIdx(files.images, "mnistDataset: images");
  const labels = await readIdx(files.labels, "mnistDataset: labels");
  const [count, height, width] = images.shape;
  if (images.shape.length !== 3 || labels.shape.length !== 1 || labels.shape[0] !== count)
    throw new InputError(
      `mnistDataset: expected images [count, height, width] and labels [count], got [${images.shape.join(", ")}] and [${labels.shape.join(", ")}]`,
    );
  const size = height * width;
  const classes = files.classes ?? Array.from({ length: 10 }, (_, digit) => String(digit));
  assertLabels("mnistDataset", labels.values, classes.length);
  return new PackedPictures(
    labels.values,
    (index) => ({ data: images.values.slice(index * size, (index + 1) * size), width, height, channels: 1 }),
    classes,
  );
}

function assertLabels(operation: string, labels: Uint8Array, numClasses: number): void {
  const wrong = labels.findIndex((label) => label >= numClasses);
  if (wrong >= 0)
    throw new InputError(
      `${operation}: expected labels below ${numClasses}, got ${labels[wrong]} at position ${wrong}; name all classes`,
    );
}

/** CIFAR-10's classes. */
const CIFAR10_CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split(" ");
const SIDE = 32;
const PLANE = SIDE * SIDE;

/** Options of {@link cifarDataset}. */
export interface CifarDatasetOptions {
  /** 10 unless it says otherwise; 100 has a coarse and a fine label, of which the fine one is taken. */
  readonly numClasses?: 10 | 100;
}

/**
 * CIFAR-10 or CIFAR-100 in the binary version: `data_batch_1.bin` … or `train.bin`.
 * @throws InputError when a file is cut off or has a label that is none.
 * @see Krizhevsky (2009), "Learning multiple layers of features from tiny images", https://www.cs.toronto.edu/~kriz/cifar.html
 */
export function cifarDataset(
  files: readonly Uint8Array[],
  options: CifarDatasetOptions = {},
): PackedPictures {
  assertOptionNames("cifarDataset", options, ["numClasses"]);
  const { numClasses = 10 } = options;
  if (numClasses !== 10 && numClasses !== 100)
    throw new InputError(`cifarDataset: expected numClasses 10 or 100, got ${String(numClasses)}`);
  const labelBytes = numClasses === 10 ? 1 : 2;
  const recordBytes = labelBytes + 3 * PLANE;
  const records: Uint8Array[] = [];
  files.forEach((file, number) => {
    if (!(file instanceof Uint8Array) || file.length === 0 || file.length % recordBytes !== 0)
      throw new InputError(
        `cifarDataset: expected files of whole records of ${recordBytes} bytes, got ${file?.length} bytes at position ${number}`,
      );
    for (let at = 0; at < file.length; at += recordBytes) records.push(file.subarray(at, at + recordBytes));
  });
  const labels = Uint8Array.from(records, (record) => record[labelBytes - 1]);
  assertLabels("cifarDataset", labels, numClasses);
  const pictureAt = (index: number): Picture => {
    const data = new Uint8Array(3 * PLANE);
    for (let pixel = 0; pixel < PLANE; pixel++)
      for (let channel = 0; channel < 3; channel++)
        data[3 * pixel + channel] = records[index][labelBytes + channel * PLANE + pixel];
    return { data, width: SIDE, height: SIDE, channels: 3 };
  };
  const classes =
    numClasses === 10 ? CIFAR10_CLASSES : Array.from({ length: 100 }, (_, label) => String(label));
  return new PackedPictures(labels, pictureAt, classes);
}
