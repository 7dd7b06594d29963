import { type DeviceDescription, DeviceError, InputError, type ModelSource } from "@ai/tensor";
import { transferable } from "../training/data/worker-protocol.js";
import type { AnyWorker } from "../worker-port.js";
import type { LoadRequest, LoadWatch } from "./define-task.js";
import type { HostCall, HostWork, TaskHost } from "./host.js";
import { linkSignals, orAborted } from "./signals.js";
import { disposedError } from "./task-errors.js";
import type { StreamedOf, TaskDefinition, TaskLoadOptions, TaskTypes } from "./types.js";
import { WorkerChannel } from "./worker-channel.js";
import { type LoadedInWorker, type SentStep, sentTaskError } from "./worker-messages.js";

const inNode = (): boolean => typeof process !== "undefined" && process.versions?.node !== undefined;

async function makeWorker<Types extends TaskTypes>(
  { loader, worker: source }: TaskDefinition<Types>,
  worker: Exclude<TaskLoadOptions["worker"], false | undefined>,
): Promise<AnyWorker> {
  if (worker !== true) return worker();
  if (inNode()) {
    const { Worker: NodeThread } = await import(/* webpackIgnore: true */ "node:worker_threads");
    return new NodeThread(new URL(source.file, source.base)) as unknown as AnyWorker;
  }
  if (typeof Worker === "undefined")
    throw new DeviceError(`${loader}: expected workers, got a place without; leave worker out`);
  return source.page();
}

/** A model's source in a form that can be sent, and that means the same in the worker. */
function sendableSource(operation: string, model: ModelSource): unknown {
  const page = globalThis.location?.href;
  if (model instanceof URL) return model.href;
  if (typeof model === "string") {
    const isAddress =
      /^(?:\.{0,2}\/|[^/:]+\/[^/:]+\/|[^:]*\.(?:safetensors|json|pth?|th|bin|onnx|npz|gguf)$)/.test(model);
    // relative to the page, not to the worker's file
    return !inNode() && page !== undefined && isAddress ? new URL(model, page).href : model;
  }
  if (model instanceof Map || (typeof Blob !== "undefined" && model instanceof Blob)) return model;
  if (typeof model === "object" && model !== null) {
    if ("createReader" in model)
      throw new InputError(
        `${operation}: expected a model that can be sent to a worker, got a FileSystemDirectoryEntry; pass the handle of getAsFileSystemHandle() or the files`,
      );
    if (Symbol.iterator in model) return [...(model as Iterable<File>)];
  }
  return model;
}

/** Values for another thread; what cannot be sent is an InputError. */
function sendable(operation: string, value: unknown): { item: unknown; buffers: ArrayBuffer[] } {
  return transferable(value, () => {
    throw new InputError(
      `${operation}: expected an input that can be sent to a worker, got a tensor; pass numbers, or load without worker`,
    );
  });
}

/** Loads a task in a worker. @internal */
export async function startInWorker<Types extends TaskTypes>(
  definition: TaskDefinition<Types>,
  request: LoadRequest<Types>,
  { signal, onProgress, worker }: LoadWatch & Pick<Required<TaskLoadOptions>, "worker">,
): Promise<WorkerHost<Types>> {
  const { loader, task } = definition;
  const model = sendableSource(loader, request.model);
  const { endpoint } = request.hub;
  const hub = endpoint === undefined ? request.hub : { ...request.hub, endpoint: String(endpoint) };
  const channel = new WorkerChannel(
    await makeWorker(definition, worker as Exclude<typeof worker, false>),
    loader,
  );
  try {
    await channel.ready(signal);
    const asked = { kind: "load", task, request: { ...request, model, hub } } as const;
    const loaded = (await channel.ask(asked, { signal, onProgress }).catch((error) => {
      throw notSent(loader, error);
    })) as LoadedInWorker;
    return new WorkerHost(definition, channel, loaded);
  } catch (error) {
    channel.terminate(error);
    throw error;
  }
}

/** What structured cloning refuses, in words of the contract. */
function notSent(operation: string, error: unknown): unknown {
  if (!(error instanceof DOMException) || error.name !== "DataCloneError") return error;
  return new InputError(
    `${operation}: expected what can be sent to a worker, got something else (${error.message}); load without worker`,
    { cause: error },
  );
}

/** A task whose model lives in a worker. */
class WorkerHost<Types extends TaskTypes> implements TaskHost<Types> {
  readonly info: Types["info"];
  readonly device: DeviceDescription;
  readonly unsupported: Readonly<Record<string, string | undefined>>;
  readonly hasStream: boolean;
  readonly #definition: TaskDefinition<Types>;
  readonly #channel: WorkerChannel;
  #disposing: Promise<void> | undefined;

  constructor(definition: TaskDefinition<Types>, channel: WorkerChannel, loaded: LoadedInWorker) {
    this.#definition = definition;
    this.#channel = channel;
    this.info = loaded.info;
    this.device = loaded.device;
    this.unsupported = loaded.unsupported;
    this.hasStream = loaded.hasStream;
  }

  async call(
    inputs: readonly Types["input"][],
    call: HostCall<Types>,
    work: HostWork,
  ): Promise<Types["result"][]> {
    const sent = await Promise.all(inputs.map((input) => this.#sendable(input)));
    work.signal?.throwIfAborted();
    const buffers = sent.flatMap((one) => one.buffers);
    return (await this.#ask(
      { kind: "call", inputs: sent.map(({ item }) => item), call },
      work,
      buffers,
    )) as Types["result"][];
  }

  async explain(
    { input, target }: { readonly input: Types["input"]; readonly target: Types["target"] },
    options: Required<Types["explainOptions"]>,
    work: HostWork,
  ): Promise<Types["explanation"]> {
    const { item, buffers } = await this.#sendable(input);
    work.signal?.throwIfAborted();
    return this.#ask({ kind: "explain", asked: { input: item, target }, options }, work, buffers);
  }

  async method(name: string, argument: unknown, work: HostWork): Promise<unknown> {
    const makers = this.#definition.toSendableArgument as
      | Readonly<Record<string, ((argument: unknown) => unknown) | undefined>>
      | undefined;
    const made = makers?.[name] === undefined ? argument : await makers[name](argument);
    const { item, buffers } = sendable(name, made);
    work.signal?.throwIfAborted();
    return this.#ask({ kind: "method", name, argument: item }, work, buffers);
  }

  async *stream(
    inputs: AsyncIterator<Types["input"]>,
    call: HostCall<Types>,
    { signal, onProgress }: HostWork,
  ): AsyncGenerator<StreamedOf<Types>, void, undefined> {
    const failed = linkSignals(signal);
    const stream = this.#channel.openStream({
      onProgress,
      fail: failed.abort,
      pull: () => void this.#pull(stream, inputs, failed),
    });
    try {
      this.#channel.post({ kind: "open", stream, call });
      for (;;) {
        const work: HostWork = { signal: failed.signal, onProgress: undefined };
        const step = (await this.#ask({ kind: "next", stream }, work)) as SentStep;
        if (step.kind !== "value") return;
        yield step.value as StreamedOf<Types>;
      }
    } finally {
      failed.unlink();
      failed.abort(undefined);
      this.#channel.closeStream(stream);
    }
  }

  /** Gives the worker the stream's next input; what the source throws, the stream throws. */
  async #pull(
    stream: number,
    inputs: AsyncIterator<Types["input"]>,
    failed: { readonly signal: AbortSignal; abort(reason: unknown): void },
  ): Promise<void> {
    try {
      const { done, value } = await orAborted(Promise.resolve(inputs.next()), failed.signal);
      if (done === true) return this.#channel.post({ kind: "input", stream, step: { kind: "done" } });
      const { item, buffers } = await this.#sendable(value);
      this.#channel.post({ kind: "input", stream, step: { kind: "value", value: item } }, buffers);
    } catch (error) {
      failed.abort(notSent(this.#definition.verb, error));
      this.#channel.post({ kind: "input", stream, step: { kind: "error", error: sentTaskError(error) } });
    }
  }

  dispose(): Promise<void> {
    this.#disposing ??= this.#channel.end(disposedError(this.#definition.verb));
    return this.#disposing;
  }

  async #sendable(input: Types["input"]): Promise<{ item: unknown; buffers: ArrayBuffer[] }> {
    const { verb, toSendable } = this.#definition;
    return sendable(verb, toSendable === undefined ? input : await toSendable(input));
  }

  async #ask(
    asked: Parameters<WorkerChannel["ask"]>[0],
    work: HostWork,
    buffers: ArrayBuffer[] = [],
  ): Promise<unknown> {
    try {
      return await this.#channel.ask(asked, work, buffers);
    } catch (error) {
      throw notSent(this.#definition.verb, error);
    }
  }
}
