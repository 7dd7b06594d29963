import type { Task, TaskLoadOptions } from "@ai/layers/tasks";
import { InputError, type ModelSource, RandomGenerator } from "@ai/tensor";
import type { GalleryCalibration } from "../postprocess/image-gallery.js";
import { assertIntegers, assertOneOf, assertOptionNames } from "../preprocess/checks.js";
import type { Picture } from "../preprocess/picture.js";
import {
  type InstanceRecognition,
  type LoadImageRecognizerOptions,
  loadImageRecognizer,
} from "../tasks/image-recognition.js";
import { assertPictureSets, type PictureSet } from "./picture-set.js";

/** How far {@link teachImageRecognizer} is. */
export interface TeachingProgress {
  readonly phase: "teach" | "test";
  /** Pictures so far. */
  readonly done: number;
  readonly total: number;
}

/** Options of {@link teachImageRecognizer}. */
export interface TeachImageRecognizerOptions {
  /** The model that makes vectors of pictures, as `loadImageRecognizer` takes it. */
  readonly from: ModelSource;
  /** Options of `loadImageRecognizer`: device, worker, preprocessing … */
  readonly load?: TaskLoadOptions & Omit<LoadImageRecognizerOptions, "gallery">;
  /** Examples of each class that are chosen by chance; all others are for testing. Default 5. */
  readonly examples?: number;
  /** Pictures to test with, in place of those of `data` that no examples are. */
  readonly validation?: PictureSet;
  /** `nearest`: mean similarity of a class's most similar examples; `prototype`: similarity to the mean of all. Default `prototype`. */
  readonly method?: "nearest" | "prototype";
  /** Of `nearest`: how many examples count. Default 3. */
  readonly neighbors?: number;
  /** Which pictures are chosen follows from it. Default 0. */
  readonly seed?: number;
  readonly onProgress?: (progress: TeachingProgress) => void;
  readonly signal?: AbortSignal;
}

/** How a class was recognised. */
export interface ClassAccuracy {
  readonly label: string;
  readonly examples: number;
  /** Pictures that it was tested with. */
  readonly tested: number;
  /** Those that had the class's label. */
  readonly right: number;
}

/** What {@link teachImageRecognizer} gives. */
export interface TaughtImageRecognizer {
  /** The recognizer, taught and calibrated, to be used, saved and disposed by the caller. */
  readonly recognize: Task<InstanceRecognition>;
  /** Share of the tested pictures whose most similar class is theirs; undefined when none was left to test. */
  readonly accuracy: number | undefined;
  /** Share of the tested pictures that are taken for unknown; undefined when none was left to test. */
  readonly unknown: number | undefined;
  readonly classes: readonly ClassAccuracy[];
  /** From which similarity on a picture is known; undefined with one example a class, which cannot tell. */
  readonly calibration: GalleryCalibration | undefined;
}

const OPTIONS = [
  "from",
  "load",
  "examples",
  "validation",
  "method",
  "neighbors",
  "seed",
  "onProgress",
  "signal",
] as const;

/** Pictures that are embedded at once. */
const BATCH_SIZE = 32;

/**
 * Teaches a recognizer by a few examples of each class, calibrates it, and measures how well it does on the pictures that
 * it has not seen. Nothing is trained: a model turns pictures into vectors, and a new one has the class that is nearest.
 * @param data Pictures with classes, for example `imageFolder("mugs")`.
 * @returns the recognizer, which the caller saves (`recognize.save`, `recognize.toBytes`) and disposes, and its accuracy.
 * @throws InputError for options out of range, pictures without classes, a class without a picture, or a model that there
 * is not; the signal's reason once aborted.
 * @see Snell, Swersky, Zemel (2017), "Prototypical networks for few-shot learning", https://arxiv.org/abs/1703.05175
 * @example
 * const data = await imageFolder("mugs");
 * const { recognize, accuracy } = await teachImageRecognizer(data, { from: "microsoft/resnet-18", examples: 5 });
 * console.log(accuracy, await recognize("photo.jpg"));
 * await recognize.save("mugs.safetensors");
 */
export async function teachImageRecognizer(
  data: PictureSet,
  options: TeachImageRecognizerOptions,
): Promise<TaughtImageRecognizer> {
  const operation = "teachImageRecognizer";
  assertOptionNames(operation, options ?? {}, OPTIONS);
  if (options?.from === undefined)
    throw new InputError(`${operation}: expected from, the model that makes vectors, got none; name one`);
  const {
    from,
    load,
    examples = 5,
    validation,
    method = "prototype",
    seed = 0,
    signal,
    onProgress,
  } = options;
  if (options.neighbors !== undefined && method === "prototype")
    throw new InputError(`${operation}: expected neighbors with nearest, got it with prototype`);
  const { neighbors = 3 } = options;
  assertIntegers(operation, { examples, neighbors });
  assertOneOf(operation, "method", method, ["nearest", "prototype"]);
  assertPictureSets(operation, { data, validation }, { minClasses: 2, maker: "imageFolder" });
  signal?.throwIfAborted();

  const watched = signal === undefined ? {} : { signal };
  const recognize = await loadImageRecognizer(from, { ...load, ...watched });
  try {
    const { counts, rest } = await teach(data, { recognize, examples, seed, signal, onProgress });
    const compare = method === "nearest" ? { method, neighbors } : { method };
    const calibration =
      Math.max(...counts) < 2 ? undefined : await recognize.calibrate(compare, { ...watched });
    const [set, indices] =
      validation === undefined
        ? [data, rest]
        : [validation, Array.from({ length: validation.length }, (_, at) => at)];
    const tested = data.classes.map(() => ({ tested: 0, right: 0 }));
    let unknown = 0;
    for (let start = 0; start < indices.length; start += BATCH_SIZE) {
      const samples = await labeled(set, indices.slice(start, start + BATCH_SIZE));
      const answers = await recognize(
        samples.map(({ picture }) => picture),
        { ...compare, topK: 1, batchSize: BATCH_SIZE, ...watched },
      );
      answers.forEach(({ label, candidates: [best] }, at) => {
        const of = tested[samples[at].label];
        of.tested++;
        if (best.label === data.classes[samples[at].label]) of.right++;
        if (label === null) unknown++;
      });
      onProgress?.({ phase: "test", done: start + samples.length, total: indices.length });
    }
    const right = tested.reduce((sum, of) => sum + of.right, 0);
    const shareOf = (count: number): number | undefined =>
      indices.length === 0 ? undefined : count / indices.length;
    return {
      recognize,
      accuracy: shareOf(right),
      unknown: shareOf(unknown),
      classes: data.classes.map((label, at) => ({ label, examples: counts[at], ...tested[at] })),
      calibration,
    };
  } catch (error) {
    await recognize.dispose();
    throw error;
  }
}

/** Adds examples in an order by chance until every class has enough. @returns how many each has, and the pictures that are left. */
async function teach(
  data: PictureSet,
  {
    recognize,
    examples,
    seed,
    signal,
    onProgress,
  }: Pick<TaughtImageRecognizer, "recognize"> &
    Pick<TeachImageRecognizerOptions, "signal" | "onProgress"> & {
      readonly examples: number;
      readonly seed: number;
    },
): Promise<{ counts: number[]; rest: number[] }> {
  const order = new RandomGenerator(seed).permutation(data.length);
  const counts = data.classes.map(() => 0);
  const rest: number[] = [];
  const total = examples * counts.length;
  for (const index of order) {
    signal?.throwIfAborted();
    if (counts.every((count) => count >= examples)) {
      rest.push(index);
      continue;
    }
    const [{ picture, label }] = await labeled(data, [index]);
    if (counts[label] >= examples) {
      rest.push(index);
      continue;
    }
    await recognize.add(
      { label: data.classes[label], pictures: picture },
      signal === undefined ? {} : { signal },
    );
    counts[label]++;
    onProgress?.({ phase: "teach", done: counts.reduce((sum, count) => sum + count), total });
  }
  const missing = data.classes.filter((_, label) => counts[label] === 0);
  if (missing.length > 0)
    throw new InputError(
      `teachImageRecognizer: expected a picture of each class, got none of ${missing.join(", ")}`,
    );
  return { counts, rest };
}

/** Samples of a set, read together. @throws InputError for one without a label of the set. */
function labeled(
  set: PictureSet,
  indices: readonly number[],
): Promise<{ readonly picture: Picture; readonly label: number }[]> {
  const count = set.classes.length;
  return Promise.all(
    indices.map(async (index) => {
      const { picture, label } = await set.get(index);
      if (label === undefined || !(label >= 0 && label < count))
        throw new InputError(`picture ${index}: expected a label in [0, ${count}), got ${String(label)}`);
      return { picture, label };
    }),
  );
}
