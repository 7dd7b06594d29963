import { DeviceError, InputError } from "@ai/tensor";
import type { AnyWorker } from "../../worker-port.js";
import { assertOptionNames } from "../option-names.js";
import type { TrainingEvent } from "./messages.js";
import { RemoteTraining, type TrainingMethods } from "./remote-training.js";
import { TrainingChannel } from "./training-channel.js";

/** Options of {@link connectTraining}. */
export interface ConnectTrainingOptions<Options = unknown> {
  /** Given to the worker's function: plain data. */
  readonly options?: Options;
  /** Go on from the worker's last checkpoint; `false` removes its checkpoints and starts anew. Default true. */
  readonly resume?: boolean;
  /** Hears what happens in the worker. What it throws ends the run. */
  readonly onEvent?: (event: TrainingEvent) => void;
  /** Ends the worker while it is made ready. */
  readonly signal?: AbortSignal;
}

/**
 * Connects to a worker that calls `serveTraining`: model, data and trainer live there, and this thread stays free.
 * @typeParam Methods What the worker's methods take and give, by name.
 * @param worker A module worker of a browser, or a `Worker` of `node:worker_threads`; it belongs to the connection.
 * @returns the training once it is made and its last checkpoint is loaded; the caller closes it.
 * @throws what the worker's function throws, as the same kind of error; the reason of `signal` once aborted; DeviceError
 * when the worker ends or does not start; InputError for a worker that is none.
 * @example
 * const worker = new Worker(new URL("./train.worker.js", import.meta.url), { type: "module" });
 * const training = await connectTraining(worker, { onEvent: (event) => chart.draw(event) });
 * stopButton.onclick = () => training.stop("the button");
 * const { outcome } = await training.fit({ epochs: 5 });
 */
export async function connectTraining<Methods extends TrainingMethods = TrainingMethods, Options = unknown>(
  worker: AnyWorker,
  options: ConnectTrainingOptions<Options> = {},
): Promise<RemoteTraining<Methods>> {
  assertOptionNames("connectTraining", options as ConnectTrainingOptions<unknown>, [
    "options",
    "resume?",
    "onEvent",
    "signal",
  ]);
  if (typeof worker?.postMessage !== "function" || typeof worker.terminate !== "function")
    throw new InputError(
      `connectTraining: expected a worker, got ${worker === null ? "null" : typeof worker}; make one of the module that calls serveTraining`,
    );
  const { resume = true, onEvent = () => undefined, signal } = options;
  const channel = new TrainingChannel(worker);
  const onAbort = (): void => channel.end(signal?.reason);
  try {
    signal?.throwIfAborted();
    signal?.addEventListener("abort", onAbort);
    channel.listen(onEvent); // messages come while it is made, too
    const { info, history } = await channel.open({ kind: "open", options: options.options, resume });
    return new RemoteTraining<Methods>(channel, info, history, onEvent);
  } catch (error) {
    channel.end(
      error instanceof Error ? error : new DeviceError("connectTraining: expected a worker, got none"),
    );
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}
