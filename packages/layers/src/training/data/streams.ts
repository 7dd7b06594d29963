import { dispose, InputError, RandomGenerator } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import { type ItemContext, type IterableSource, itemContext } from "./dataset.js";

function assertSource(operation: string, source: unknown): void {
  if (typeof (source as IterableSource<unknown> | undefined)?.iterate !== "function")
    throw new InputError(
      `${operation}: expected a source with iterate, got ${typeof source}; wrap a function in StreamSource`,
    );
}

/**
 * Items that come one after another: of a file read line by line, a download, a generator. Nothing is kept; a loop that
 * is left early closes the stream.
 * @example
 * const source = new StreamSource((epoch) => readLines(file));
 * const loader = new DataLoader(new ShuffledSource(source, { bufferSize: 10_000 }), { batchSize: 32, collate });
 */
export class StreamSource<Item> implements IterableSource<Item> {
  readonly #open: (epoch: number) => AsyncIterable<Item> | Iterable<Item>;

  /** @param open Starts from the first item; for one epoch always the same items in the same order. */
  constructor(open: (epoch: number) => AsyncIterable<Item> | Iterable<Item>) {
    if (typeof open !== "function")
      throw new InputError(
        `StreamSource: expected a function that opens the stream, got ${typeof open}; a stream can be read once only`,
      );
    this.#open = open;
  }

  iterate(epoch: number): AsyncIterable<Item> | Iterable<Item> {
    const stream = this.#open(epoch) as Partial<AsyncIterable<Item> & Iterable<Item>> | undefined;
    if (stream?.[Symbol.asyncIterator] === undefined && stream?.[Symbol.iterator] === undefined)
      throw new InputError(
        `StreamSource: expected a function that gives an iterable, got ${stream === null ? "null" : typeof stream}`,
      );
    return stream as AsyncIterable<Item> | Iterable<Item>;
  }
}

/**
 * A stream whose items go through a function: parsing, tokenizing, augmentation.
 * @example
 * const source = new MappedSource(lines, (line) => tokenize(line));
 */
export class MappedSource<Source, Item> implements IterableSource<Item> {
  readonly #source: IterableSource<Source>;
  readonly #transform: (item: Source, context: ItemContext) => Item | Promise<Item>;
  readonly #seed: number;

  /**
   * @param transform Takes over the tensors of the item it gets. Draw random numbers from `context.generator` only.
   * @param options `seed`: the random numbers follow from it, default 0.
   */
  constructor(
    source: IterableSource<Source>,
    transform: (item: Source, context: ItemContext) => Item | Promise<Item>,
    options: { readonly seed?: number } = {},
  ) {
    assertSource("MappedSource", source);
    assertOptionNames("MappedSource", options, ["seed"]);
    if (typeof transform !== "function")
      throw new InputError(`MappedSource: expected a function, got ${typeof transform}`);
    this.#source = source;
    this.#transform = transform;
    this.#seed = options.seed ?? 0;
  }

  async *iterate(epoch: number): AsyncGenerator<Item, void, undefined> {
    let index = 0;
    for await (const item of this.#source.iterate(epoch))
      yield await this.#transform(item, itemContext(this.#seed, epoch, index++));
  }
}

/** Options of {@link ShuffledSource}. */
export interface ShuffledSourceOptions {
  /** Items that wait to be drawn from. */
  readonly bufferSize: number;
  /** The order of every epoch follows from it. Default 0. */
  readonly seed?: number;
}

/**
 * A stream in nearly random order: each item is drawn by chance from a buffer that the stream fills up again. The order
 * depends on (seed, epoch) alone, so that a resumed run goes on with the next item.
 */
export class ShuffledSource<Item> implements IterableSource<Item> {
  readonly #source: IterableSource<Item>;
  readonly #bufferSize: number;
  readonly #seed: number;

  /** @throws InputError for a buffer size below 1. */
  constructor(source: IterableSource<Item>, options: ShuffledSourceOptions) {
    assertSource("ShuffledSource", source);
    assertOptionNames("ShuffledSource", options, ["bufferSize", "seed"]);
    const { bufferSize, seed = 0 } = options;
    if (!Number.isInteger(bufferSize) || bufferSize < 1)
      throw new InputError(`ShuffledSource: expected an integer bufferSize of at least 1, got ${bufferSize}`);
    new RandomGenerator(seed); // throws for a seed that is not one
    this.#source = source;
    this.#bufferSize = bufferSize;
    this.#seed = seed;
  }

  async *iterate(epoch: number): AsyncGenerator<Item, void, undefined> {
    const generator = new RandomGenerator(this.#seed).fork(`epoch ${epoch}`);
    const buffer: Item[] = [];
    const draw = (): Item => {
      const at = generator.integer(0, buffer.length);
      const drawn = buffer[at];
      buffer[at] = buffer[buffer.length - 1];
      buffer.pop();
      return drawn;
    };
    try {
      for await (const item of this.#source.iterate(epoch)) {
        buffer.push(item);
        if (buffer.length > this.#bufferSize) yield draw();
      }
      while (buffer.length > 0) yield draw();
    } finally {
      dispose(buffer); // a loop that was left early
    }
  }
}
