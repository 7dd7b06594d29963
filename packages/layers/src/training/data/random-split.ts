import { InputError, RandomGenerator } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import type { Dataset } from "./dataset.js";
import { StratifiedSampler, SubsetDataset } from "./splits.js";

/** How far shares may be from 1 together: what 0.7 + 0.2 + 0.1 is off. */
const SHARE_TOLERANCE = 1e-6;

/** Options of {@link randomSplit}. */
export interface RandomSplitOptions {
  /** The parts follow from it. Default 0. */
  readonly seed?: number;
  /** One an item: each part gets each label in about its share (stratified). */
  readonly labels?: ArrayLike<number | string>;
}

/** Sizes of the parts; what shares leave over goes to the parts in turn, from the first on. */
function sizesOf(parts: readonly number[], length: number): number[] {
  const total = parts.reduce((sum, part) => sum + part, 0);
  if (Math.abs(total - 1) <= SHARE_TOLERANCE && length > 1) {
    const sizes = parts.map((share) => Math.floor(share * length + SHARE_TOLERANCE));
    const left = length - sizes.reduce((sum, size) => sum + size, 0);
    return sizes.map((size, part) => size + Math.ceil((left - part) / sizes.length));
  }
  if (total !== length || !parts.every(Number.isInteger))
    throw new InputError(
      `randomSplit: expected shares that sum to 1 or sizes that sum to ${length}, got ${parts.join(", ")}`,
    );
  return [...parts];
}

/**
 * Cuts a dataset by chance into parts that share no item, as `torch.utils.data.random_split`.
 * @param data Stays the caller's; the parts read from it.
 * @param parts Shares that sum to 1, or numbers of items that sum to `data.length`.
 * @returns one dataset a part; its items keep their order.
 * @throws InputError for parts that do not sum to the whole or are empty, or labels of another number.
 * @example
 * const [training, validation] = randomSplit(data, [0.8, 0.2], { seed: 1 });
 * const loader = new DataLoader(training, { batchSize: 32, shuffle: true });
 */
export function randomSplit<Item>(
  data: Dataset<Item>,
  parts: readonly number[],
  options: RandomSplitOptions = {},
): SubsetDataset<Item>[] {
  assertOptionNames("randomSplit", options, ["seed", "labels"]);
  const { seed = 0, labels } = options;
  if (typeof data?.get !== "function" || !Number.isInteger(data.length))
    throw new InputError(
      `randomSplit: expected a dataset, got ${typeof data}; wrap an array in ArrayDataset`,
    );
  if (
    !Array.isArray(parts) ||
    parts.length === 0 ||
    parts.some((part) => !(typeof part === "number" && part > 0))
  )
    throw new InputError("randomSplit: expected an array of parts above 0, got something else");
  if (labels !== undefined && labels?.length !== data.length)
    throw new InputError(
      `randomSplit: expected ${data.length} labels, got ${labels?.length ?? typeof labels}`,
    );
  const sizes = sizesOf(parts, data.length);
  if (sizes.includes(0))
    throw new InputError(
      `randomSplit: expected at least one item a part, got ${sizes.join(", ")} of ${data.length}`,
    );
  const generator = new RandomGenerator(seed);
  // a stratified order has each label in its share in every stretch
  const order =
    labels === undefined
      ? generator.permutation(data.length)
      : new StratifiedSampler(labels).sample(generator);
  let start = 0;
  return sizes.map((size) => {
    const positions = order.slice(start, start + size).sort();
    start += size;
    return new SubsetDataset(data, positions);
  });
}
