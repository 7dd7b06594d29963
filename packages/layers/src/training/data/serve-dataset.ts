import { InputError, RandomGenerator } from "@ai/tensor";
import type { Dataset, ItemContext } from "./dataset.js";
import { type ItemRequest, sentError, transferable, type WorkerAnswer } from "./worker-protocol.js";

/** The other end of a worker. */
interface Port {
  post(answer: WorkerAnswer, buffers?: ArrayBuffer[]): void;
  listen(onRequest: (request: ItemRequest) => void): void;
}

/** The page or thread that started this worker. @throws InputError outside of a worker. */
async function openPort(): Promise<Port> {
  if (typeof process !== "undefined" && process.versions?.node !== undefined) {
    const { parentPort } = await import("node:worker_threads");
    if (parentPort !== null)
      return {
        post: (answer, buffers = []) => parentPort.postMessage(answer, buffers),
        listen: (onRequest) => void parentPort.on("message", onRequest),
      };
  }
  const scope = globalThis as unknown as {
    WorkerGlobalScope?: unknown;
    postMessage(answer: WorkerAnswer, buffers: ArrayBuffer[]): void;
    addEventListener(kind: string, listener: (event: { data: ItemRequest }) => void): void;
  };
  if (scope.WorkerGlobalScope === undefined)
    throw new InputError(
      "serveDataset: expected to run in a worker, got the main thread; call it in the module that loadInWorkers starts",
    );
  return {
    post: (answer, buffers = []) => scope.postMessage(answer, buffers),
    listen: (onRequest) => scope.addEventListener("message", ({ data }) => onRequest(data)),
  };
}

/**
 * Serves a dataset to the thread that started this worker with `loadInWorkers`. Items are copied between threads: numbers,
 * strings, typed arrays, host tensors, lists and plain objects of them; no tensors.
 * @param make Makes the dataset; what it throws is thrown by `loadInWorkers`.
 * @throws InputError outside of a worker.
 * @example
 * // items.worker.js
 * await serveDataset(async () => new MappedDataset(await openFiles(), decodeAndAugment));
 */
export async function serveDataset(make: () => Dataset<unknown> | Promise<Dataset<unknown>>): Promise<void> {
  const port = await openPort();
  try {
    const dataset = await make();
    if (typeof dataset?.get !== "function" || !Number.isInteger(dataset.length))
      throw new InputError(
        `serveDataset: expected a function that makes a dataset, got one that gives ${typeof dataset}`,
      );
    port.listen((request) => void answer(port, dataset, request));
    port.post({ kind: "ready", length: dataset.length });
  } catch (error) {
    port.post({ kind: "failed", error: sentError(error) });
  }
}

async function answer(port: Port, dataset: Dataset<unknown>, request: ItemRequest): Promise<void> {
  const { id, index, epoch, random } = request;
  try {
    const generator = new RandomGenerator(random.seed);
    generator.setState(random);
    const context: ItemContext = { epoch, generator };
    const { item, buffers } = transferable(await dataset.get(index, context));
    port.post({ kind: "item", id, item }, buffers);
  } catch (error) {
    port.post({ kind: "error", id, error: sentError(error) });
  }
}
