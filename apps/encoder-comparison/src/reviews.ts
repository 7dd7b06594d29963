import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { DataLoader, type Dataset, LengthBucketSampler } from "@ai/layers/training";
import { fromValues, InputError, type Tensor } from "@ai/tensor";

/** A sentence and what its writer thought. */
export interface Review {
  readonly text: string;
  /** 0 bad, 1 good. */
  readonly label: number;
}

/** Reviews to learn from and others to measure on. */
export interface ReviewSplit {
  readonly train: readonly Review[];
  readonly test: readonly Review[];
}

/** Every fifth review is for measuring where nothing else is given. */
const TEST_EVERY = 5;
/** Words behind these are cut off: few sentences have more. */
const MAX_WORDS = 48;
/** Id 0 is padding, 1 a word that is not in the vocabulary. */
const [PADDING, UNKNOWN] = [0, 1];

/**
 * Reads `sentence<TAB>label` lines, as SST-2 has them; a header line `sentence<TAB>label` is passed over.
 * @throws InputError for a line without a label 0 or 1.
 */
export async function readTsv(path: string): Promise<Review[]> {
  const lines = (await readFile(path, "utf8")).split(/\r?\n/).filter((line) => line.trim() !== "");
  return lines
    .filter((line, index) => index > 0 || line !== "sentence\tlabel")
    .map((line, index) => {
      const border = line.lastIndexOf("\t");
      const label = line.slice(border + 1).trim();
      if (border < 0 || (label !== "0" && label !== "1"))
        throw new InputError(
          `readTsv: expected sentence<TAB>0 or 1 in line ${index + 1} of ${path}, got ${line}`,
        );
      return { text: line.slice(0, border), label: Number(label) };
    });
}

/**
 * The 3,000 sentences about things, films and restaurants of the package `sentiment`.
 * @see Kotzias, Denil, de Freitas, Smyth (2015), "From group to individual labels using deep features", https://doi.org/10.1145/2783258.2783380
 */
export async function packagedReviews(): Promise<Review[]> {
  const require = createRequire(import.meta.url);
  const files = ["amazon", "imdb", "yelp"].map((name) =>
    require.resolve(`sentiment/test/fixtures/${name}.json`),
  );
  const rows = await Promise.all(
    files.map(async (file) => JSON.parse(await readFile(file, "utf8")) as { text?: string; class: number }[]),
  );
  return rows
    .flat()
    .flatMap(({ text, class: label }) =>
      text === undefined || text.trim() === "" ? [] : [{ text, label: label > 0 ? 1 : 0 }],
    );
}

/** Puts every fifth review aside. */
export function splitReviews(reviews: readonly Review[]): ReviewSplit {
  return {
    train: reviews.filter((_, index) => index % TEST_EVERY !== 0),
    test: reviews.filter((_, index) => index % TEST_EVERY === 0),
  };
}

/** Words in small letters, and each other sign alone. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}']+|[^\s\p{L}\p{N}']/gu) ?? [];
}

/** Which words have an id: those that the training reviews use at least twice, the most frequent first. */
export function makeVocabulary(train: readonly Review[], maxSize: number): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { text } of train)
    for (const word of wordsOf(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const kept = [...counts].filter(([, count]) => count > 1).sort((a, b) => b[1] - a[1]);
  return new Map(kept.slice(0, maxSize).map(([word], index) => [word, index + UNKNOWN + 1]));
}

/** Reviews of similar length, as numbers. */
export interface ReviewBatch {
  /** `[batch, length]` int32, 0 behind the end of a review */
  readonly ids: Tensor;
  /** `[batch]` int32 */
  readonly labels: Tensor;
}

/** Reviews as ids. */
class ReviewDataset implements Dataset<never> {
  readonly ids: readonly (readonly number[])[];
  readonly #labels: readonly number[];

  constructor(reviews: readonly Review[], vocabulary: ReadonlyMap<string, number>) {
    this.ids = reviews.map(({ text }) => {
      const words = wordsOf(text).slice(0, MAX_WORDS);
      return words.length === 0 ? [UNKNOWN] : words.map((word) => vocabulary.get(word) ?? UNKNOWN);
    });
    this.#labels = reviews.map(({ label }) => label);
  }

  get length(): number {
    return this.ids.length;
  }

  get(): never {
    throw new InputError("ReviewDataset: expected to be read in batches");
  }

  getBatch(indices: Int32Array): ReviewBatch {
    const rows = Array.from(indices, (index) => this.ids[index]);
    const length = Math.max(...rows.map((row) => row.length));
    const values = new Int32Array(rows.length * length).fill(PADDING);
    rows.forEach((row, index) => {
      values.set(row, index * length);
    });
    const labels = Int32Array.from(indices, (index) => this.#labels[index]);
    return {
      ids: fromValues(values, [rows.length, length], "int32"),
      labels: fromValues(labels, [rows.length], "int32"),
    };
  }
}

/** Batches of reviews of similar length, in an order that follows from the seed. */
export function reviewLoader(
  reviews: readonly Review[],
  vocabulary: ReadonlyMap<string, number>,
  { batchSize, seed }: { readonly batchSize: number; readonly seed: number },
): DataLoader<never, ReviewBatch> {
  const dataset = new ReviewDataset(reviews, vocabulary);
  const lengths = dataset.ids.map((row) => row.length);
  const sampler = new LengthBucketSampler(lengths, { batchSize, bucketBatches: 20 });
  return new DataLoader(dataset, { batchSize, sampler, seed });
}
