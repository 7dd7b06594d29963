import { InputError } from "@ai/tensor";
import { type AnyWorker, listenTo } from "../../worker-port.js";
import { assertOptionNames } from "../option-names.js";
import { type Dataset, type ItemContext, itemContext } from "./dataset.js";
import { type ItemRequest, receivedError, type WorkerAnswer } from "./worker-protocol.js";

/** A worker that serves a dataset: of the browser or of `node:worker_threads`. */
export type DatasetWorker = AnyWorker;

/** Options of {@link loadInWorkers}. */
export interface LoadInWorkersOptions {
  /** How many workers. Default 2. */
  readonly workers?: number;
  /** Ends the workers; items on their way are rejected with its reason. */
  readonly signal?: AbortSignal;
}

interface Pending {
  readonly resolve: (item: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

interface Channel {
  readonly worker: DatasetWorker;
  readonly pending: Map<number, Pending>;
}

/**
 * A dataset whose items are made in worker threads, by `serveDataset`. Made by {@link loadInWorkers}; a `DataLoader` asks
 * for as many items at once as it prefetches, and gives them in order.
 * @typeParam Item Numbers, strings, typed arrays, host tensors, lists and plain objects of them.
 */
export class WorkerDataset<Item> implements Dataset<Item> {
  readonly length: number;
  readonly #channels: readonly Channel[];
  readonly #signal: AbortSignal | undefined;
  #nextId = 0;
  #ended: { readonly reason: unknown } | undefined;
  readonly #onAbort = (): void => this.#end(this.#signal?.reason);

  private constructor(channels: readonly Channel[], length: number, signal: AbortSignal | undefined) {
    this.#channels = channels;
    this.length = length;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort);
  }

  /** Starts the workers and waits for their datasets. @internal */
  static async start<Item>(
    makeWorker: () => DatasetWorker,
    count: number,
    signal: AbortSignal | undefined,
  ): Promise<WorkerDataset<Item>> {
    signal?.throwIfAborted();
    const channels: Channel[] = [];
    let dataset: WorkerDataset<Item> | undefined;
    let abort: (() => void) | undefined;
    try {
      const aborted = new Promise<never>((_, reject) => {
        abort = () => reject(signal?.reason);
        signal?.addEventListener("abort", abort);
      });
      const lengths = Array.from({ length: count }, () => {
        const channel: Channel = { worker: makeWorker(), pending: new Map() };
        channels.push(channel);
        return new Promise<number>((resolve, reject) => {
          const onLost = (reason: string): void => {
            const error = new InputError(
              `WorkerDataset: expected a worker that serves items, got one that ended (${reason}); see what it printed`,
            );
            reject(error);
            if (dataset !== undefined) dataset.#end(error);
          };
          const onAnswer = (answer: WorkerAnswer): void => {
            if (answer?.kind === "ready") resolve(answer.length);
            else if (answer?.kind === "failed") reject(receivedError(answer.error));
            else settle(channel, answer);
          };
          listenTo<WorkerAnswer>(channel.worker, onAnswer, onLost);
        });
      });
      const [length, ...others] = await Promise.race([Promise.all(lengths), aborted]);
      const other = others.find((each) => each !== length);
      if (other !== undefined)
        throw new InputError(
          `WorkerDataset: expected one length in all workers, got ${length} and ${other}; a dataset must not depend on its thread`,
        );
      for (const channel of channels) rest(channel);
      dataset = new WorkerDataset<Item>(channels, length, signal);
      return dataset;
    } catch (error) {
      for (const { worker } of channels) worker.terminate();
      throw error;
    } finally {
      if (abort !== undefined) signal?.removeEventListener("abort", abort);
    }
  }

  /**
   * One item, from the worker that has least to do.
   * @throws what the dataset in the worker throws, under its name and message; the reason of the signal once aborted;
   * InputError for a position outside, after `dispose` or when a worker has ended.
   */
  get(index: number, context: ItemContext = itemContext(0, 0, index)): Promise<Item> {
    return new Promise<unknown>((resolve, reject) => {
      if (this.#ended !== undefined) throw this.#ended.reason;
      if (!Number.isInteger(index) || index < 0 || index >= this.length)
        throw new InputError(`WorkerDataset: expected an index in [0, ${this.length}), got ${index}`);
      const channel = this.#channels.reduce((a, b) => (b.pending.size < a.pending.size ? b : a));
      const id = this.#nextId++;
      channel.pending.set(id, { resolve, reject });
      const request: ItemRequest = { id, index, epoch: context.epoch, random: context.generator.state() };
      if ("ref" in channel.worker) channel.worker.ref();
      channel.worker.postMessage(request, []);
    }) as Promise<Item>;
  }

  #end(reason: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = { reason };
    this.#signal?.removeEventListener("abort", this.#onAbort);
    for (const { worker, pending } of this.#channels) {
      worker.terminate();
      for (const { reject } of pending.values()) reject(reason);
      pending.clear();
    }
  }

  /** Ends the workers; items on their way are rejected. Calling it twice does nothing. */
  dispose(): void {
    this.#end(new InputError("WorkerDataset: expected live workers, got ended ones; load the dataset again"));
  }
}

/** Lets the program end while a worker has nothing to do. */
function rest({ worker, pending }: Channel): void {
  if (pending.size === 0 && "unref" in worker) worker.unref();
}

function settle(channel: Channel, answer: Extract<WorkerAnswer, { id: number }>): void {
  const { pending } = channel;
  const waiting = pending.get(answer?.id);
  if (waiting === undefined) return;
  pending.delete(answer.id);
  rest(channel);
  if (answer.kind === "item") waiting.resolve(answer.item);
  else waiting.reject(receivedError(answer.error));
}

/**
 * Starts workers that serve a dataset and gives it here: decoding and augmentation run beside training.
 * @param makeWorker Makes one worker of your own module, which calls `serveDataset`.
 * @returns the dataset; the caller disposes it.
 * @throws what making the dataset throws there; the reason of `signal` once aborted; InputError for options out of range.
 * @example
 * const data = await loadInWorkers(() => new Worker(new URL("./items.worker.js", import.meta.url), { type: "module" }));
 * const loader = new DataLoader(data, { batchSize: 32, shuffle: true, prefetch: 4 });
 * data.dispose(); // once all is trained
 */
export async function loadInWorkers<Item = unknown>(
  makeWorker: () => DatasetWorker,
  options: LoadInWorkersOptions = {},
): Promise<WorkerDataset<Item>> {
  assertOptionNames("loadInWorkers", options, ["workers", "signal"]);
  const { workers = 2, signal } = options;
  if (typeof makeWorker !== "function")
    throw new InputError(`loadInWorkers: expected a function that makes a worker, got ${typeof makeWorker}`);
  if (!Number.isInteger(workers) || workers < 1)
    throw new InputError(`loadInWorkers: expected an integer of workers of at least 1, got ${workers}`);
  return WorkerDataset.start<Item>(makeWorker, workers, signal);
}
