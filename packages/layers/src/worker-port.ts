import { InputError } from "@ai/tensor";

/** A browser's `Worker`, as far as it is used. */
export interface PageWorker {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  terminate(): unknown;
  addEventListener(kind: string, listener: (event: { data?: unknown; message?: string }) => void): void;
}

/** A `Worker` of `node:worker_threads`, as far as it is used. */
export interface NodeWorker {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  terminate(): unknown;
  on(kind: "message", listener: (answer: unknown) => void): unknown;
  on(kind: "error" | "messageerror", listener: (error: Error) => void): unknown;
  on(kind: "exit", listener: (code: number) => void): unknown;
  /** A worker that has something to do keeps the program alive; one that is idle does not. */
  ref(): unknown;
  unref(): unknown;
}

/** A worker of the browser or of `node:worker_threads`. */
export type AnyWorker = PageWorker | NodeWorker;

/** Hears what a worker says, and that it has ended. */
export function listenTo<Answer>(
  worker: AnyWorker,
  onAnswer: (answer: Answer) => void,
  onLost: (reason: string) => void,
): void {
  if ("on" in worker) {
    worker.on("message", (answer) => onAnswer(answer as Answer));
    worker.on("error", (error) => onLost(String(error)));
    worker.on("messageerror", (error) => onLost(String(error)));
    worker.on("exit", (code) => onLost(`exit code ${code}`));
    return;
  }
  worker.addEventListener("message", ({ data }) => onAnswer(data as Answer));
  worker.addEventListener("error", ({ message }) => onLost(message || "the worker did not start"));
  worker.addEventListener("messageerror", () => onLost("a message that cannot be read"));
}

/** The end of a worker that leads to the page or thread that started it. */
export interface WorkerPort<Request, Answer> {
  post(answer: Answer, buffers?: ArrayBuffer[]): void;
  listen(onRequest: (request: Request) => void): void;
}

/**
 * The way from a worker to the page or thread that started it.
 * @param operation Names who asks, for the error; `starter` what starts such a worker.
 * @throws InputError outside of a worker.
 */
export async function openPort<Request, Answer>(
  operation: string,
  starter: string,
): Promise<WorkerPort<Request, Answer>> {
  if (typeof process !== "undefined" && process.versions?.node !== undefined) {
    const { parentPort } = await import(/* webpackIgnore: true */ "node:worker_threads");
    if (parentPort !== null)
      return {
        post: (answer, buffers = []) => parentPort.postMessage(answer, buffers),
        listen: (onRequest) => void parentPort.on("message", onRequest),
      };
  }
  const scope = globalThis as unknown as {
    WorkerGlobalScope?: unknown;
    postMessage(answer: Answer, buffers: ArrayBuffer[]): void;
    addEventListener(kind: string, listener: (event: { data: Request }) => void): void;
  };
  if (scope.WorkerGlobalScope === undefined)
    throw new InputError(
      `${operation}: expected to run in a worker, got the main thread; call it in the module that ${starter} starts`,
    );
  return {
    post: (answer, buffers = []) => scope.postMessage(answer, buffers),
    listen: (onRequest) => scope.addEventListener("message", ({ data }) => onRequest(data)),
  };
}
