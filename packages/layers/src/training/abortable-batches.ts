import { dispose } from "@ai/tensor";
import { orAborted } from "../tasks/signals.js";
import { tensorsIn } from "./data/host-tensor.js";

/**
 * The batches of a source until a signal aborts, even while the source has not got the next one yet: that batch is
 * freed when it comes after all, and an error in its place is dropped.
 * @throws the reason of `signal` once aborted.
 */
export async function* batchesUntilAborted<Batch>(
  source: AsyncIterable<Batch> | Iterable<Batch>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Batch, void, undefined> {
  const batches = Symbol.asyncIterator in source ? source : inTurn(source);
  if (signal === undefined) {
    yield* batches;
    return;
  }
  signal.throwIfAborted();
  const iterator = batches[Symbol.asyncIterator]();
  let isDone = false;
  try {
    while (true) {
      const result = await nextOf(iterator, signal);
      isDone = result.done === true;
      if (isDone) return;
      yield result.value;
      signal.throwIfAborted();
    }
  } catch (error) {
    isDone = !signal.aborted; // a source that failed has ended
    throw error;
  } finally {
    if (!isDone) await leave(iterator, signal);
  }
}

async function* inTurn<Batch>(source: Iterable<Batch>): AsyncGenerator<Batch, void, undefined> {
  yield* source;
}

async function nextOf<Batch>(
  iterator: AsyncIterator<Batch>,
  signal: AbortSignal,
): Promise<IteratorResult<Batch>> {
  const pending = iterator.next();
  try {
    const result = await orAborted(pending, signal);
    signal.throwIfAborted();
    return result;
  } catch (error) {
    if (signal.aborted) void pending.then(free, () => undefined);
    throw error;
  }
}

function free<Batch>({ value }: IteratorResult<Batch>): void {
  dispose([...tensorsIn(value)]);
}

/** Tells a source that no more is wanted, and waits until it has put things away unless the signal aborts. */
async function leave<Batch>(iterator: AsyncIterator<Batch>, signal: AbortSignal): Promise<void> {
  const left = Promise.resolve(iterator.return?.());
  left.catch(() => undefined); // nobody waits for it after an abort
  if (signal.aborted) return;
  await orAborted(left, signal);
}
