import { stat } from "node:fs/promises";
import { kFoldSplit, SubsetDataset } from "@ai/layers/training";
import { InputError } from "@ai/tensor";
import {
  openPictureSplits,
  type PictureFormat,
  type PictureSplit,
  type PictureSplits,
} from "../datasets/open-picture-splits.js";
import type { PictureSet } from "../training/picture-set.js";
import { given } from "./common-options.js";

/** What data may be, for the help. */
export const DATA_HELP =
  "a folder or .tar archive of pictures in folders a class, Pascal VOC, COCO, YOLO, CIFAR or MNIST files";

/** Opens the data of a command. @throws InputError for what is neither a folder nor an archive. */
export async function openData(
  path: string,
  { format, signal }: { readonly format: PictureFormat | undefined; readonly signal: AbortSignal },
): Promise<PictureSplits> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined)
    throw new InputError(`${path}: expected a folder or .tar archive of pictures, got nothing there`);
  if (found.isFile() && !/\.tar$/i.test(path))
    throw new InputError(
      `${path}: expected a folder or .tar archive of pictures, got another file; unpack it, or name its folder`,
    );
  return openPictureSplits(path, { signal, ...given({ format }) });
}

/** A part of data and what it is called. */
export interface NamedSet {
  readonly name: string;
  readonly set: PictureSet;
}

/** What to learn from, and what to test with. */
export interface TrainingParts {
  readonly train: NamedSet;
  /** Measured after each epoch. */
  readonly validation?: NamedSet;
  /** Measured in the end. */
  readonly test?: NamedSet;
}

/**
 * Divides data into what to learn from and what to test with: by its own parts, or by chance.
 * @param holdOut One of so many pictures is kept for tests where the data has no part for them; 0 keeps none.
 */
export function trainingParts(
  path: string,
  { splits, classes }: PictureSplits,
  { holdOut, seed }: { readonly holdOut: number; readonly seed: number },
): TrainingParts {
  const { train, validation, test, all } = splits;
  const whole: PictureSet | undefined = train ?? all;
  if (whole === undefined)
    throw new InputError(
      `${path}: expected pictures to learn from, in a part called train, got ${Object.keys(splits).join(" and ")}`,
    );
  if (validation !== undefined || test !== undefined)
    return {
      train: { name: "train", set: whole },
      ...(validation === undefined ? {} : { validation: { name: "validation", set: validation } }),
      ...(test === undefined ? {} : { test: { name: "test", set: test } }),
    };
  if (holdOut === 0) return { train: { name: "all", set: whole } };
  if (holdOut === 1 || whole.length < holdOut)
    throw new InputError(
      `${path}: expected at least 2 and so many pictures that one of ${holdOut} can be held out for tests, got ${whole.length}; choose another --hold-out, or 0 for no test`,
    );
  const [{ training, validation: kept }] = kFoldSplit(whole.length, { folds: holdOut, seed });
  const part = (positions: Int32Array): PictureSet => {
    const subset = new SubsetDataset(whole, positions);
    return { length: subset.length, classes, get: (index, item) => subset.get(index, item) };
  };
  return {
    train: { name: "train", set: part(training) },
    validation: { name: "held out", set: part(kept) },
  };
}

/** The part to evaluate on. @throws InputError where it cannot be told, or is not there. */
export function evaluationPart(
  path: string,
  { splits }: PictureSplits,
  wanted: PictureSplit | undefined,
): NamedSet {
  const name =
    wanted ?? (["test", "validation", "all"] as const).find((split) => splits[split] !== undefined);
  const set = name === undefined ? undefined : splits[name];
  if (name === undefined || set === undefined)
    throw new InputError(
      `${path}: expected a part called ${wanted ?? "test or validation"}, got ${Object.keys(splits).join(" and ")}; choose one with --split`,
    );
  return { name, set };
}
