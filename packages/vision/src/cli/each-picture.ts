import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { InputError, isAiError } from "@ai/tensor";
import type { Picture } from "../preprocess/picture.js";
import { readImage } from "../preprocess/read-image.js";
import { writePng } from "../preprocess/write-image.js";
import type { CommandContext } from "./command-context.js";

/** A picture and where it came from. */
export interface NamedPicture {
  /** As the user gave it. */
  readonly file: string;
  /** Its place among the pictures. */
  readonly index: number;
  readonly picture: Picture;
}

/** What came of a picture, for `--json`. */
export type PictureReport = { readonly file: string } & Readonly<Record<string, unknown>>;

/** What {@link eachPicture} does. */
export interface EachPicture {
  readonly batchSize: number;
  /** Gives one report a picture. */
  readonly work: (pictures: readonly NamedPicture[]) => Promise<readonly PictureReport[]>;
  /** A report as text. */
  readonly text: (report: PictureReport) => string;
}

/**
 * Reads pictures and works on them batch by batch. One of several that cannot be read is told and left out; the exit
 * code then is 1.
 * @param files Paths and URLs, as `expandPictures` gives them.
 */
export async function eachPicture(
  context: CommandContext,
  files: readonly string[],
  { batchSize, work, text }: EachPicture,
): Promise<void> {
  const { signal } = context;
  const reports: PictureReport[] = [];
  const isOne = files.length === 1;
  for (let start = 0; start < files.length; start += batchSize) {
    const batch: NamedPicture[] = [];
    for (const [at, file] of files.slice(start, start + batchSize).entries()) {
      signal.throwIfAborted();
      try {
        batch.push({ file, index: start + at, picture: await readImage(file, { signal }) });
      } catch (error) {
        if (isOne || !isAiError(error)) throw error;
        context.note(`error: ${error.message}`);
        reports.push({ file, error: error.message });
        process.exitCode = 1;
      }
    }
    if (batch.length > 0)
      for (const report of await work(batch)) {
        context.print(text(report));
        reports.push(report);
      }
    if (!isOne)
      context.count("pictures")({ done: Math.min(start + batchSize, files.length), total: files.length });
  }
  context.finish(reports);
  if (reports.every((report) => "error" in report))
    throw new InputError(
      `${files.length} pictures: expected some that can be read, got none; the errors above say why`,
    );
}

/** Writes a picture as a PNG file, with the folders above it. */
export async function writeDrawing(path: string, picture: Picture): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, await writePng(picture));
}

/** A share as `81.2 %`. */
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
