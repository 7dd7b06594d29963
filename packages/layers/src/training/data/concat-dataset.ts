import { dispose, InputError, type Tensor } from "@ai/tensor";
import { type Dataset, type ItemContext, itemContext } from "./dataset.js";
import { joinBatches } from "./join-batches.js";
import { settle } from "./settle.js";

/**
 * Datasets one after the other, as `torch.utils.data.ConcatDataset`. Their items need the same structure to become batches.
 * Where each of them gives batches at once, so does this one.
 * @example
 * const everything = new ConcatDataset([printed, handwritten]);
 */
export class ConcatDataset<Item> implements Dataset<Item> {
  readonly length: number;
  readonly #sources: readonly Dataset<Item>[];
  /** Position of each source's first item. */
  readonly #starts: readonly number[];
  /** Present when every source that has items has it. */
  readonly getBatch?: (indices: Int32Array) => unknown;

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
    const filled = sources.filter((source) => source.length > 0);
    if (filled.length > 0 && filled.every((source) => source.getBatch !== undefined))
      this.getBatch = (indices) => this.#batchOf(indices);
  }

  /** Asks each source once, for all that the batch has of it. */
  async #batchOf(indices: Int32Array): Promise<unknown> {
    const places = new Map<number, number[]>();
    indices.forEach((index, place) => {
      const source = this.#sourceOf(index);
      const known = places.get(source);
      if (known === undefined) places.set(source, [place]);
      else known.push(place);
    });
    const groups = [...places].sort(([a], [b]) => a - b);
    const ask = ([source, own]: readonly [number, readonly number[]]): unknown =>
      this.#sources[source].getBatch!(Int32Array.from(own, (place) => indices[place] - this.#starts[source]));
    if (groups.length === 1) return ask(groups[0]);
    const batches = await settle(groups.map(async (group) => ask(group)));
    try {
      const order = new Int32Array(indices.length);
      groups
        .flatMap(([, own]) => own)
        .forEach((place, rank) => {
          order[place] = rank;
        });
      const parts = batches.map((batch, part) => ({ batch, items: groups[part][1].length }));
      return joinBatches("ConcatDataset", parts, order);
    } finally {
      dispose(batches as Tensor[]);
    }
  }

  get(index: number, context: ItemContext = itemContext(0, 0, index)): Item | Promise<Item> {
    const source = this.#sourceOf(index);
    return this.#sources[source].get(index - this.#starts[source], context);
  }

  #sourceOf(index: number): number {
    if (!Number.isInteger(index) || index < 0 || index >= this.length)
      throw new InputError(`ConcatDataset: expected an index in [0, ${this.length}), got ${index}`);
    // of several that start here the last one: those before it are empty
    return this.#starts.findLastIndex((start) => start <= index);
  }
}
