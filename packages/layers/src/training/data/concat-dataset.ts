import { InputError } from "@ai/tensor";
import { type Dataset, type ItemContext, itemContext } from "./dataset.js";

/**
 * Datasets one after the other, as `torch.utils.data.ConcatDataset`. Their items need the same structure to become batches.
 * @example
 * const everything = new ConcatDataset([printed, handwritten]);
 */
export class ConcatDataset<Item> implements Dataset<Item> {
  readonly length: number;
  readonly #sources: readonly Dataset<Item>[];
  /** Position of each source's first item. */
  readonly #starts: readonly number[];

  /** @throws InputError unless there is at least one dataset. */
  constructor(sources: readonly Dataset<Item>[]) {
    const wrong = !Array.isArray(sources) || sources.some((source) => typeof source?.get !== "function");
    if (wrong || sources.length === 0)
      throw new InputError("ConcatDataset: expected an array of at least one dataset, got something else");
    let length = 0;
    this.#starts = sources.map((source) => {
      length += source.length;
      return length - source.length;
    });
    this.#sources = [...sources];
    this.length = length;
  }

  get(index: number, context: ItemContext = itemContext(0, 0, index)): Item | Promise<Item> {
    if (!Number.isInteger(index) || index < 0 || index >= this.length)
      throw new InputError(`ConcatDataset: expected an index in [0, ${this.length}), got ${index}`);
    // of several that start here the last one: those before it are empty
    const source = this.#starts.findLastIndex((start) => start <= index);
    return this.#sources[source].get(index - this.#starts[source], context);
  }
}
