import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type DeviceName, InputError, isAiError } from "@ai/tensor";
import { Command } from "commander";
import { compareEncoders } from "./comparison.js";
import { packagedReviews, type ReviewSplit, readTsv, splitReviews } from "./reviews.js";

interface Flags {
  readonly data?: string;
  readonly test?: string;
  readonly device?: DeviceName;
  readonly reviews?: number;
  readonly epochs: number;
  readonly seeds: number;
  readonly dim: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly out: string;
}

function integer(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InputError(`encoder-comparison: expected a positive integer, got ${text}`);
  return value;
}

async function loadReviews({ data, test, reviews = Number.POSITIVE_INFINITY }: Flags): Promise<ReviewSplit> {
  if (data === undefined && test !== undefined)
    throw new InputError("encoder-comparison: expected --data beside --test, got none");
  if (data === undefined) return splitReviews((await packagedReviews()).slice(0, reviews));
  const train = (await readTsv(data)).slice(0, reviews);
  return test === undefined ? splitReviews(train) : { train, test: await readTsv(test) };
}

async function main(): Promise<void> {
  const repository = fileURLToPath(new URL("../../../", import.meta.url));
  const interrupt = new AbortController();
  process.once("SIGINT", () =>
    interrupt.abort(new InputError("encoder-comparison: stopped from the keyboard; start again to go on")),
  );
  const flags = new Command("encoder-comparison")
    .description("Trains four encoders on the same reviews and compares what they cost and give.")
    .option(
      "--data <file>",
      "sentence<TAB>label lines, such as SST-2's train.tsv; 3,000 packaged reviews when left out",
    )
    .option(
      "--test <file>",
      "the same to measure on, such as SST-2's dev.tsv; every fifth of the data when left out",
    )
    .option("--device <name>", "cpu, wasm, webgpu or cuda; the fastest one when left out")
    .option("--reviews <count>", "use only so many of the data", integer)
    .option("--epochs <count>", "times that each review is seen", integer, 5)
    .option("--seeds <count>", "runs of each encoder", integer, 1)
    .option("--dim <size>", "numbers a word", integer, 64)
    .option("--batch-size <count>", "reviews a step", integer, 32)
    .option("--learning-rate <number>", "at the start; it falls to a tenth", Number, 2e-3)
    .option("--out <folder>", "where to write", join(repository, "runs", "encoder-comparison"))
    .parse()
    .opts<Flags>();
  await compareEncoders({
    ...flags,
    reviews: await loadReviews(flags),
    seeds: Array.from({ length: flags.seeds }, (_, index) => index + 1),
    folder: flags.out,
    signal: interrupt.signal,
    print: console.log,
  });
  const here = (path: string): string => relative(process.env.INIT_CWD ?? process.cwd(), path) || ".";
  console.log(`\nThe table, a picture and all numbers are in ${here(flags.out)}.`);
}

try {
  await main();
} catch (error) {
  if (!isAiError(error)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
