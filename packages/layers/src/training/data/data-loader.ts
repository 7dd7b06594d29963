import { defaultGenerator, dispose, InputError, RandomGenerator, tidyUnlessAsync } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import { type Collated, createCollate } from "./collate.js";
import { type Dataset, type IterableSource, itemContext } from "./dataset.js";
import { tensorsIn } from "./host-tensor.js";
import type { BatchSampler } from "./length-samplers.js";
import { RandomSampler, type Sampler, SequentialSampler } from "./samplers.js";
import { settle } from "./settle.js";

/** Where a {@link DataLoader} stands: plain JSON, saved with every checkpoint. */
export interface DataLoaderState {
  /** Epochs that were gone through before this one. */
  readonly epoch: number;
  /** Batches of this epoch that were given out. */
  readonly position: number;
  /** The order of every epoch follows from it. */
  readonly seed: number;
}

/** Options of {@link DataLoader}. */
export interface DataLoaderOptions<Item, Batch> {
  /** Items a batch. Default 1. */
  readonly batchSize?: number;
  /** A new random order every epoch. Default false. */
  readonly shuffle?: boolean;
  /** Chooses the items of an epoch; not together with `shuffle`. */
  readonly sampler?: Sampler;
  /** Chooses the items of each batch; not together with `batchSize`, `shuffle`, `sampler` or `dropLast`. */
  readonly batchSampler?: BatchSampler;
  /** Leave out the last batch of an epoch when it is not full. Default false. */
  readonly dropLast?: boolean;
  /**
   * Turns items into a batch. What a synchronous one makes and does not return is freed. Default {@link createCollate}`()`,
   * or the dataset's own `getBatch`.
   */
  readonly collate?: (items: readonly Item[]) => Batch | Promise<Batch>;
  /** Batches that are prepared while the caller works on another. Default 1. */
  readonly prefetch?: number;
  /** The order and every random number of the dataset follow from it. Default: the seed of the default generator. */
  readonly seed?: number;
}

/**
 * The batches of a loader, for functions that take them.
 * @example
 * const computeLoss = ({ image, label }: BatchOf<typeof loader>, model: Classifier) =>
 *   crossEntropyLoss(model.call(image), label);
 */
export type BatchOf<Source extends AsyncIterable<unknown>> =
  Source extends AsyncIterable<infer Batch> ? Batch : never;

const OPTIONS = [
  "batchSize",
  "shuffle?",
  "sampler",
  "batchSampler",
  "dropLast?",
  "collate",
  "prefetch",
  "seed",
] as const;

/**
 * Goes through a dataset in batches; each `for await` is one epoch. The tensors of a batch are the caller's.
 *
 * The order of an epoch is a function of (seed, epoch), so `state()` inside the loop, restored by `loadState`,
 * continues with the very next batch, whatever was prefetched. A loop that was left early is not continued:
 * the next one is a new epoch.
 * @example
 * const loader = new DataLoader(dataset, { batchSize: 64, shuffle: true, seed: 1 });
 * for await (const [images, labels] of loader) { … dispose([images, labels]); }
 */
export class DataLoader<Item = unknown, Batch = Collated<Item>> implements AsyncIterable<Batch> {
  /** Items a batch; 1 with a `batchSampler`, whose batches differ. */
  readonly batchSize: number;
  readonly #source: Dataset<Item> | IterableSource<Item>;
  readonly #sampler: Sampler | undefined;
  readonly #batchSampler: BatchSampler | undefined;
  readonly #dropLast: boolean;
  readonly #collate: ((items: readonly Item[]) => unknown) | undefined;
  readonly #prefetch: number;
  #seed: number;
  #epoch = 0;
  #position = 0;
  /** The loop that moves the position: the one that started last. */
  #loop: object | undefined;

  /** @throws InputError for a size that is not a positive integer, or options that exclude each other. */
  constructor(source: Dataset<Item> | IterableSource<Item>, options: DataLoaderOptions<Item, Batch> = {}) {
    assertOptionNames("DataLoader", options, OPTIONS);
    const {
      batchSize = 1,
      shuffle = false,
      sampler,
      batchSampler,
      dropLast = false,
      collate,
      prefetch = 1,
      seed = defaultGenerator().seed,
    } = options;
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new InputError(`DataLoader: expected a batchSize of at least 1, got ${batchSize}`);
    if (!Number.isInteger(prefetch) || prefetch < 0)
      throw new InputError(`DataLoader: expected a prefetch of at least 0, got ${prefetch}`);
    if (shuffle && sampler !== undefined)
      throw new InputError(
        "DataLoader: expected shuffle or a sampler, got both; the sampler decides the order",
      );
    const excluded = (["batchSize", "shuffle", "sampler", "dropLast"] as const).find(
      (name) => options[name] !== undefined,
    );
    if (batchSampler !== undefined && excluded !== undefined)
      throw new InputError(
        `DataLoader: expected batchSampler or ${excluded}, got both; the batchSampler decides which items a batch has`,
      );
    if (isIterable(source)) {
      if (shuffle || sampler !== undefined || batchSampler !== undefined)
        throw new InputError(
          "DataLoader: expected no shuffle or sampler for an iterable source, got one; shuffle in the source",
        );
    } else if (batchSampler === undefined) {
      this.#sampler =
        sampler ?? (shuffle ? new RandomSampler(source.length) : new SequentialSampler(source.length));
    }
    new RandomGenerator(seed); // throws for a seed that is not one
    this.batchSize = batchSize;
    this.#source = source;
    this.#dropLast = dropLast;
    this.#batchSampler = batchSampler;
    this.#collate = collate;
    this.#prefetch = prefetch;
    this.#seed = seed;
  }

  /** Batches an epoch; undefined for an iterable source, which ends when it ends. */
  get length(): number | undefined {
    if (this.#batchSampler !== undefined) return this.#batchSampler.length;
    if (this.#sampler === undefined) return undefined;
    const batches = this.#sampler.length / this.batchSize;
    return this.#dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  /** Where it stands: inside a loop, after the batch that the loop has in hand. */
  state(): DataLoaderState {
    return { epoch: this.#epoch, position: this.#position, seed: this.#seed };
  }

  /** The next loop continues at a saved state. @throws InputError for a state that is none. */
  loadState(state: DataLoaderState): void {
    const counts = [state?.epoch, state?.position, state?.seed];
    if (!counts.every((count) => Number.isSafeInteger(count) && count >= 0))
      throw new InputError(
        `DataLoader: expected a state of epoch, position and seed, got ${JSON.stringify(state)}`,
      );
    const { length } = this;
    if (length !== undefined && state.position > length)
      throw new InputError(
        `DataLoader: expected a position of at most ${length} batches, got ${state.position}; use the dataset and batchSize of the saved run`,
      );
    this.#seed = state.seed;
    this.#epoch = state.epoch;
    this.#position = state.position;
    this.#loop = undefined;
  }

  /** One epoch, or the rest of one after {@link loadState}. */
  [Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
    const loop = {};
    const batches = this.#batchesOfLoop(loop);
    const leave = batches.return.bind(batches);
    batches.return = (value) => {
      this.#endLoop(loop); // at once, even while it waits for a batch
      return leave(value);
    };
    return batches;
  }

  async *#batchesOfLoop(loop: object): AsyncGenerator<Batch, void, undefined> {
    this.#loop = loop;
    const epoch = this.#epoch;
    const start = this.#position;
    const source = this.#source;
    const batches = isIterable(source)
      ? this.#streamed(source, epoch, start)
      : this.#indexed(source, epoch, start);
    try {
      for await (const batch of batches) {
        if (this.#loop === loop) this.#position++;
        yield batch as Batch;
      }
    } finally {
      this.#endLoop(loop);
    }
  }

  /** Finished or left early: the next loop is the next epoch. */
  #endLoop(loop: object): void {
    if (this.#loop !== loop) return;
    this.#epoch++;
    this.#position = 0;
    this.#loop = undefined;
  }

  async *#indexed(source: Dataset<Item>, epoch: number, start: number): AsyncGenerator<unknown> {
    const batches = this.#batchesOf(epoch);
    const total = batches.length;
    const waiting: Promise<unknown>[] = [];
    let next = start;
    try {
      while (next < total || waiting.length > 0) {
        while (next < total && waiting.length <= this.#prefetch) {
          const prepared = this.#load(source, batches[next], epoch);
          prepared.catch(() => undefined); // it rejects where it is awaited, in order
          waiting.push(prepared);
          next++;
        }
        yield await waiting.shift();
      }
    } finally {
      await discard(waiting);
    }
  }

  /** The items of each batch of an epoch. */
  #batchesOf(epoch: number): readonly Int32Array[] {
    const generator = new RandomGenerator(this.#seed).fork(`epoch ${epoch}`);
    if (this.#batchSampler !== undefined) return this.#batchSampler.batches(generator);
    const order = this.#sampler!.sample(generator);
    return Array.from({ length: this.length! }, (_, batch) =>
      order.slice(batch * this.batchSize, (batch + 1) * this.batchSize),
    );
  }

  async #load(source: Dataset<Item>, indices: Int32Array, epoch: number): Promise<unknown> {
    if (this.#collate === undefined && source.getBatch !== undefined) return source.getBatch(indices);
    const items = await settle(
      [...indices].map((index) => source.get(index, itemContext(this.#seed, epoch, index))),
    );
    return this.#finish(items);
  }

  async #finish(items: readonly Item[]): Promise<unknown> {
    const spent = tensorsIn(items);
    try {
      const collate = this.#collate ?? createCollate();
      const batch = await tidyUnlessAsync<unknown>(() => collate(items), tensorsIn);
      for (const tensor of tensorsIn(batch)) spent.delete(tensor);
      return batch;
    } finally {
      for (const tensor of spent) tensor.dispose();
    }
  }

  async *#streamed(source: IterableSource<Item>, epoch: number, start: number): AsyncGenerator<unknown> {
    const waiting: Promise<unknown>[] = [];
    let items: Item[] = [];
    let skip = start * this.batchSize;
    const push = (): void => {
      const prepared = this.#finish(items);
      prepared.catch(() => undefined);
      waiting.push(prepared);
      items = [];
    };
    try {
      for await (const item of source.iterate(epoch)) {
        if (skip > 0) {
          skip--;
          dispose(item);
          continue;
        }
        items.push(item);
        if (items.length === this.batchSize) push();
        while (waiting.length > this.#prefetch) yield await waiting.shift();
      }
      if (items.length > 0 && !this.#dropLast) push();
      while (waiting.length > 0) yield await waiting.shift();
    } finally {
      dispose(items);
      await discard(waiting);
    }
  }
}

function isIterable<Item>(source: Dataset<Item> | IterableSource<Item>): source is IterableSource<Item> {
  if (typeof (source as IterableSource<Item>)?.iterate === "function") return true;
  if (typeof (source as Dataset<Item>)?.get === "function") return false;
  throw new InputError(
    "DataLoader: expected a dataset with get and length, or a source with iterate, got neither",
  );
}

/** Frees batches that nobody will take. */
async function discard(waiting: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(waiting))
    if (result.status === "fulfilled") dispose(result.value);
}
