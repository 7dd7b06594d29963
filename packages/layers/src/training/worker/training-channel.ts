import { DeviceError } from "@ai/tensor";
import { receivedTaskError } from "../../tasks/worker-messages.js";
import { type AnyWorker, listenTo } from "../../worker-port.js";
import type {
  OpenRequest,
  SentHistory,
  TrainingAnswer,
  TrainingEvent,
  TrainingInfo,
  TrainingRequest,
} from "./messages.js";

/** How long a worker may take to free its model before it is ended all the same. */
const LEAVE_MILLISECONDS = 2_000;

/** A request that is answered, without its number. */
type Asked = TrainingRequest extends infer One
  ? One extends { readonly id: number }
    ? Omit<One, "id">
    : never
  : never;

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

interface Opened {
  readonly info: TrainingInfo;
  readonly history: SentHistory;
}

/** The way to a training worker: requests, their answers, and events. */
export class TrainingChannel {
  readonly #worker: AnyWorker;
  readonly #pending = new Map<number, Pending>();
  #opening:
    | {
        readonly request: OpenRequest;
        readonly settle: (answer: Opened | undefined, error?: unknown) => void;
      }
    | undefined;
  #onEvent: (event: TrainingEvent) => void = () => undefined;
  #onClosed: () => void = () => undefined;
  #nextId = 0;
  #ended: { readonly reason: unknown } | undefined;

  constructor(worker: AnyWorker) {
    this.#worker = worker;
    listenTo<TrainingAnswer>(
      worker,
      (answer) => this.#hear(answer),
      (reason) =>
        this.end(
          new DeviceError(
            `connectTraining: expected a worker that trains, got one that ended (${reason}); see what it printed, and connect to a new one`,
          ),
        ),
    );
  }

  /** Sends the options; waits until the worker is ready. */
  open(request: OpenRequest): Promise<Opened> {
    return new Promise((resolve, reject) => {
      const settle = (answer: Opened | undefined, error?: unknown): void => {
        this.#opening = undefined;
        if (answer === undefined) reject(error);
        else resolve(answer);
        this.#rest();
      };
      if (this.#ended !== undefined) {
        reject(this.#ended.reason);
        return;
      }
      this.#opening = { request, settle };
      // and again once it says that it listens, if that was too early
      this.#worker.postMessage(request, []);
    });
  }

  /** Who hears events. */
  listen(onEvent: (event: TrainingEvent) => void): void {
    this.#onEvent = onEvent;
  }

  /**
   * Asks for something and waits for the answer.
   * @param signal Asks the worker to end it; the promise is rejected with its reason once the worker has.
   * @throws what was thrown in the worker, of the same kind.
   */
  ask(asked: Asked, signal?: AbortSignal): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended.reason);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => this.post({ kind: "abort", id });
      const settle = (): void => {
        this.#pending.delete(id);
        signal?.removeEventListener("abort", onAbort);
        this.#rest();
      };
      this.#pending.set(id, {
        resolve: (value) => {
          settle();
          resolve(value);
        },
        reject: (reason) => {
          settle();
          reject(signal?.aborted ? signal.reason : reason);
        },
      });
      signal?.addEventListener("abort", onAbort);
      this.#rest();
      try {
        this.#worker.postMessage({ ...asked, id }, []);
      } catch (error) {
        this.#pending.get(id)?.reject(error); // what cannot be cloned
      }
    });
  }

  /** Says something that has no answer. */
  post(request: TrainingRequest): void {
    if (this.#ended === undefined) this.#worker.postMessage(request, []);
  }

  /** Lets the worker free its model, then ends it; whoever waits gets `reason`. */
  async close(reason: unknown): Promise<void> {
    if (this.#ended !== undefined) return;
    const left = new Promise<void>((resolve) => {
      this.#onClosed = resolve;
    });
    this.post({ kind: "close" });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LEAVE_MILLISECONDS);
    });
    await Promise.race([left, late]);
    clearTimeout(timer);
    this.end(reason);
  }

  /** Ends the worker at once; whoever waits gets `reason`. */
  end(reason: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = { reason };
    this.#onClosed();
    this.#opening?.settle(undefined, reason);
    for (const { reject } of [...this.#pending.values()]) reject(reason);
    this.#worker.terminate();
  }

  /** Lets a program end while the worker has nothing to do. */
  #rest(): void {
    if (!("unref" in this.#worker)) return;
    if (this.#pending.size === 0 && this.#opening === undefined) this.#worker.unref();
    else this.#worker.ref();
  }

  #hear(answer: TrainingAnswer): void {
    switch (answer?.kind) {
      case "listening":
        if (this.#opening !== undefined) this.#worker.postMessage(this.#opening.request, []);
        return;
      case "ready":
        this.#opening?.settle(answer);
        return;
      case "failed":
        this.#opening?.settle(undefined, receivedTaskError(answer.error));
        return;
      case "result":
        this.#pending.get(answer.id)?.resolve(answer.value);
        return;
      case "error":
        this.#pending.get(answer.id)?.reject(receivedTaskError(answer.error));
        return;
      case "event":
        this.#onEvent(answer.event);
        return;
      case "closed":
        this.#onClosed();
    }
  }
}
