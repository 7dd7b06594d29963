import { type Dataset, type ItemContext, itemContext } from "./dataset.js";

/**
 * A dataset whose items go through a function when they are asked for: decoding, augmentation, tokenizing.
 * Draw random numbers from `context.generator` only, and a resumed run sees the same augmentations.
 * @example
 * const noisy = new MappedDataset(data, ([x, y], { generator }) => [x + 0.1 * generator.normal(), y]);
 */
export class MappedDataset<Source, Item> implements Dataset<Item> {
  readonly #source: Dataset<Source>;
  readonly #transform: (item: Source, context: ItemContext) => Item | Promise<Item>;

  /** @param transform Takes over the tensors of the item it gets; the tensors of its result are the caller's. */
  constructor(
    source: Dataset<Source>,
    transform: (item: Source, context: ItemContext) => Item | Promise<Item>,
  ) {
    this.#source = source;
    this.#transform = transform;
  }

  get length(): number {
    return this.#source.length;
  }

  get(index: number, context: ItemContext = itemContext(0, 0, index)): Item | Promise<Item> {
    const item = this.#source.get(index, context);
    if (item instanceof Promise) return item.then((value) => this.#transform(value, context));
    return this.#transform(item, context);
  }
}
