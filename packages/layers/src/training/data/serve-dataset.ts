import { InputError, RandomGenerator } from "@ai/tensor";
import { openPort, type WorkerPort } from "../../worker-port.js";
import type { Dataset, ItemContext } from "./dataset.js";
import { type ItemRequest, sentError, transferable, type WorkerAnswer } from "./worker-protocol.js";

/** Tensors stay with the device of their thread. */
function refuseTensor(): never {
  throw new InputError(
    "serveDataset: expected items of numbers, strings, typed arrays and host tensors, got a tensor; give { values, shape, dtype }",
  );
}

type Port = WorkerPort<ItemRequest, WorkerAnswer>;

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
  const port = await openPort<ItemRequest, WorkerAnswer>("serveDataset", "loadInWorkers");
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
    const { item, buffers } = transferable(await dataset.get(index, context), refuseTensor);
    port.post({ kind: "item", id, item }, buffers);
  } catch (error) {
    port.post({ kind: "error", id, error: sentError(error) });
  }
}
