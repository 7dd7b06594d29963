import { DeviceError } from "@ai/tensor";
import { type AnyWorker, listenTo } from "../worker-port.js";
import type { HostWork } from "./host.js";
import type { TaskProgressListener } from "./progress.js";
import { orAborted } from "./signals.js";
import { receivedTaskError, type TaskAnswer, type TaskRequest } from "./worker-messages.js";

/** How long a worker may take to free its model before it is ended all the same. */
const LEAVE_MILLISECONDS = 1_000;

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
  readonly onProgress: TaskProgressListener | undefined;
}

/** What a stream hears from the worker. */
export interface StreamEvents {
  pull(): void;
  readonly onProgress: TaskProgressListener | undefined;
  /** Ends the stream with an error of a listener. */
  fail(error: unknown): void;
}

/** A request that is answered, without its number. */
type Asked = TaskRequest extends infer One
  ? One extends { readonly id: number }
    ? Omit<One, "id">
    : never
  : never;

/** The way to a worker: requests and their answers. */
export class WorkerChannel {
  readonly #worker: AnyWorker;
  readonly #pending = new Map<number, Pending>();
  readonly #streams = new Map<number, StreamEvents>();
  readonly #started: Promise<void>;
  #leave: () => void = () => undefined;
  readonly #left: Promise<void>;
  #nextId = 0;
  #ended: { readonly reason: unknown } | undefined;

  constructor(worker: AnyWorker, operation: string) {
    this.#worker = worker;
    this.#left = new Promise((resolve) => {
      this.#leave = resolve;
    });
    this.#started = new Promise((resolve, reject) => {
      const onLost = (reason: string): void => {
        const error = new DeviceError(
          `${operation}: expected a worker that serves tasks, got one that ended (${reason}); load the task again`,
        );
        reject(error);
        this.#leave();
        this.#end(error);
      };
      listenTo<TaskAnswer>(
        worker,
        (answer) => (answer?.kind === "started" ? resolve() : this.#hear(answer)),
        onLost,
      );
    });
    this.#started.catch(() => undefined); // whoever waits for it hears of it
  }

  /** Waits until the worker listens. */
  ready(signal: AbortSignal | undefined): Promise<void> {
    return orAborted(this.#started, signal);
  }

  /**
   * Asks for something and waits for the answer.
   * @throws what was thrown in the worker, of the same kind; the signal's reason at once when it aborts: what the worker
   * has begun it ends by itself.
   */
  ask(asked: Asked, { signal, onProgress }: HostWork, buffers: ArrayBuffer[] = []): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended.reason);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#pending.delete(id);
        signal?.removeEventListener("abort", onAbort);
        this.#rest();
      };
      const onAbort = (): void => {
        settle();
        this.post({ kind: "abort", id });
        reject(signal?.reason);
      };
      this.#pending.set(id, {
        resolve: (value) => {
          settle();
          resolve(value);
        },
        reject: (reason) => {
          settle();
          reject(reason);
        },
        onProgress,
      });
      signal?.addEventListener("abort", onAbort);
      this.#rest();
      try {
        this.#worker.postMessage({ ...asked, id }, buffers);
      } catch (error) {
        settle();
        reject(error);
      }
    });
  }

  /** Says something that has no answer. */
  post(request: TaskRequest, buffers: ArrayBuffer[] = []): void {
    if (this.#ended === undefined) this.#worker.postMessage(request, buffers);
  }

  /** A number for a stream, whose events are then heard. */
  openStream(events: StreamEvents): number {
    const stream = this.#nextId++;
    this.#streams.set(stream, events);
    return stream;
  }

  /** The stream is not heard any more. */
  closeStream(stream: number): void {
    this.#streams.delete(stream);
    this.post({ kind: "close", stream });
  }

  /** Ends the worker; whoever waits gets `reason`. */
  async end(reason: unknown): Promise<void> {
    if (this.#ended !== undefined) return;
    this.post({ kind: "dispose" });
    this.#end(reason);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LEAVE_MILLISECONDS);
    });
    await Promise.race([this.#left, late]);
    clearTimeout(timer);
    await this.#worker.terminate();
  }

  /** Ends the worker at once. */
  terminate(reason: unknown): void {
    this.#end(reason);
    this.#worker.terminate();
  }

  #end(reason: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = { reason };
    for (const { reject } of [...this.#pending.values()]) reject(reason);
    this.#streams.clear();
  }

  /** Lets a program end while the worker has nothing to do. */
  #rest(): void {
    if (!("unref" in this.#worker)) return;
    if (this.#pending.size === 0) this.#worker.unref();
    else this.#worker.ref();
  }

  #hear(answer: TaskAnswer): void {
    switch (answer?.kind) {
      case "result":
        this.#pending.get(answer.id)?.resolve(answer.value);
        return;
      case "error":
        this.#pending.get(answer.id)?.reject(receivedTaskError(answer.error));
        return;
      case "progress":
        this.#tell(answer);
        return;
      case "pull":
        this.#streams.get(answer.stream)?.pull();
        return;
      case "disposed":
        this.#leave();
    }
  }

  #tell({ id, progress }: Extract<TaskAnswer, { kind: "progress" }>): void {
    const pending = this.#pending.get(id);
    const stream = this.#streams.get(id);
    try {
      (pending ?? stream)?.onProgress?.(progress);
    } catch (error) {
      // as in one thread, what a listener throws ends the work
      if (pending !== undefined) {
        this.post({ kind: "abort", id });
        pending.reject(error);
      } else stream?.fail(error);
    }
  }
}
