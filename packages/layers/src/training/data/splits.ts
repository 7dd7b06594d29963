import { InputError, RandomGenerator } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import { type Dataset, type ItemContext, itemContext } from "./dataset.js";
import type { Sampler } from "./samplers.js";

/** Positions of each label, in the order in which labels occur. @throws InputError for what is no list of labels. */
function positionsByLabel(operation: string, labels: ArrayLike<number | string>): number[][] {
  if (typeof labels !== "object" || typeof labels?.length !== "number")
    throw new InputError(`${operation}: expected an array of labels, got ${typeof labels}`);
  const groups = new Map<number | string, number[]>();
  for (let index = 0; index < labels.length; index++) {
    const label = labels[index];
    if (typeof label !== "string" && !Number.isFinite(label))
      throw new InputError(
        `${operation}: expected labels that are numbers or strings, got ${String(label)} at ${index}`,
      );
    const group = groups.get(label);
    if (group === undefined) groups.set(label, [index]);
    else group.push(index);
  }
  return [...groups.values()];
}

/**
 * Every item once, in random order, with every stretch of the order as mixed as the whole: each batch has each label in
 * about its share.
 * @example
 * const loader = new DataLoader(data, { batchSize: 32, sampler: new StratifiedSampler(labels) });
 */
export class StratifiedSampler implements Sampler {
  readonly length: number;
  readonly #groups: readonly (readonly number[])[];

  /** @param labels One an item. @throws InputError for labels that are neither numbers nor strings. */
  constructor(labels: ArrayLike<number | string>) {
    this.#groups = positionsByLabel("StratifiedSampler", labels);
    this.length = labels.length;
  }

  sample(generator: RandomGenerator): Int32Array {
    const order = new Int32Array(this.length);
    const keys = new Float64Array(this.length);
    let next = 0;
    for (const group of this.#groups) {
      const shuffled = generator.permutation(group.length);
      // items of a label lie at equal distances, at an offset by chance
      const offset = generator.uniform();
      shuffled.forEach((member, rank) => {
        order[next++] = group[member];
        keys[group[member]] = (rank + offset) / group.length;
      });
    }
    return order.sort((a, b) => keys[a] - keys[b] || a - b);
  }
}

/**
 * A weight for each item with which a `WeightedRandomSampler` draws every label equally often: `1 / (items with its label)`.
 * @param labels One an item.
 * @throws InputError for labels that are neither numbers nor strings.
 * @example
 * const sampler = new WeightedRandomSampler(balancedWeights(labels));
 */
export function balancedWeights(labels: ArrayLike<number | string>): Float64Array {
  const weights = new Float64Array(labels?.length ?? 0);
  for (const group of positionsByLabel("balancedWeights", labels))
    for (const index of group) weights[index] = 1 / group.length;
  return weights;
}

/** Positions of the items to train with and to validate with. */
export interface Fold {
  readonly training: Int32Array;
  readonly validation: Int32Array;
}

/** Options of {@link kFoldSplit}. */
export interface KFoldSplitOptions {
  /** How many parts. Default 5. */
  readonly folds?: number;
  /** Cut by chance, not in order. Default true. */
  readonly shuffle?: boolean;
  /** The cut follows from it. Default 0. */
  readonly seed?: number;
  /** One an item: each part gets each label in about its share (stratified). */
  readonly labels?: ArrayLike<number | string>;
}

/**
 * Cuts items into parts of equal size (up to one) and gives, for each part, its items for validation and all others for
 * training. Positions rise.
 * @param length Number of items.
 * @throws InputError for fewer items or items of a label than folds, or labels of another number.
 * @example
 * for (const { training, validation } of kFoldSplit(data.length, { folds: 5, labels }))
 *   scores.push(await run(new SubsetDataset(data, training), new SubsetDataset(data, validation)));
 */
export function kFoldSplit(length: number, options: KFoldSplitOptions = {}): Fold[] {
  assertOptionNames("kFoldSplit", options, ["folds", "shuffle?", "seed", "labels"]);
  const { folds = 5, shuffle = true, seed = 0, labels } = options;
  if (!Number.isInteger(folds) || folds < 2)
    throw new InputError(`kFoldSplit: expected an integer of folds of at least 2, got ${folds}`);
  if (!Number.isInteger(length) || length < folds)
    throw new InputError(
      `kFoldSplit: expected at least ${folds} items for ${folds} folds, got ${typeof length === "number" ? length : "no number; pass data.length"}`,
    );
  if (labels !== undefined && labels?.length !== length)
    throw new InputError(`kFoldSplit: expected ${length} labels, got ${labels?.length ?? typeof labels}`);
  const groups =
    labels === undefined
      ? [Array.from({ length }, (_, index) => index)]
      : positionsByLabel("kFoldSplit", labels);
  const small = groups.find((group) => group.length < folds);
  if (small !== undefined)
    throw new InputError(
      `kFoldSplit: expected at least ${folds} items of each label, got ${small.length} of ${String(labels?.[small[0]])}`,
    );
  const generator = new RandomGenerator(seed);
  const foldOf = new Int32Array(length);
  let dealt = 0; // goes on from label to label, so that the parts stay equal
  for (const group of groups) {
    const order = shuffle ? Array.from(generator.permutation(group.length), (at) => group[at]) : group;
    // in order: one stretch a part; by label: dealt out in turn
    order.forEach((index, rank) => {
      foldOf[index] = labels === undefined ? stretchOf(rank, length, folds) : dealt++ % folds;
    });
  }
  const positions = Int32Array.from({ length }, (_, index) => index);
  return Array.from({ length: folds }, (_, fold) => ({
    training: positions.filter((index) => foldOf[index] !== fold),
    validation: positions.filter((index) => foldOf[index] === fold),
  }));
}

/** The part in which position `rank` lies when the first parts get one item more. */
function stretchOf(rank: number, length: number, folds: number): number {
  const size = Math.floor(length / folds);
  const larger = length % folds;
  const border = larger * (size + 1);
  return rank < border ? Math.floor(rank / (size + 1)) : larger + Math.floor((rank - border) / size);
}

/** Some items of a dataset, in the order given. */
export class SubsetDataset<Item> implements Dataset<Item> {
  readonly length: number;
  readonly #source: Dataset<Item>;
  readonly #indices: Int32Array;
  /** Present when the source has it. */
  readonly getBatch?: (indices: Int32Array) => unknown;

  /** @throws InputError for a position outside of the dataset. */
  constructor(source: Dataset<Item>, indices: ArrayLike<number>) {
    if (typeof source?.get !== "function" || typeof indices?.length !== "number")
      throw new InputError("SubsetDataset: expected a dataset and an array of positions, got something else");
    for (let at = 0; at < indices.length; at++)
      if (!Number.isInteger(indices[at]) || indices[at] < 0 || indices[at] >= source.length)
        throw new InputError(
          `SubsetDataset: expected positions in [0, ${source.length}), got ${indices[at]} at ${at}`,
        );
    this.#source = source;
    this.#indices = Int32Array.from(indices);
    this.length = this.#indices.length;
    if (source.getBatch !== undefined)
      this.getBatch = (batch) => source.getBatch!(batch.map((index) => this.#positionOf(index)));
  }

  #positionOf(index: number): number {
    if (!Number.isInteger(index) || index < 0 || index >= this.length)
      throw new InputError(`SubsetDataset: expected an index in [0, ${this.length}), got ${index}`);
    return this.#indices[index];
  }

  get(index: number, context: ItemContext = itemContext(0, 0, index)): Item | Promise<Item> {
    return this.#source.get(this.#positionOf(index), context);
  }
}
