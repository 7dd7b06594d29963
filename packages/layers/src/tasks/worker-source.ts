/** A browser's `Worker`, as far as it is used. */
export interface PageTaskWorker {
  postMessage(message: unknown, transfer: Transferable[]): void;
  terminate(): unknown;
  addEventListener(kind: string, listener: (event: { data?: unknown; message?: string }) => void): void;
}

/** A `Worker` of `node:worker_threads`, as far as it is used. */
export interface NodeTaskWorker {
  postMessage(message: unknown, transfer: readonly never[]): void;
  terminate(): unknown;
  on(kind: "message", listener: (answer: unknown) => void): unknown;
  on(kind: "error" | "messageerror", listener: (error: Error) => void): unknown;
  on(kind: "exit", listener: (code: number) => void): unknown;
  /** A worker that has something to do keeps the program alive; one that is idle does not. */
  ref(): unknown;
  unref(): unknown;
}

/** A worker that serves tasks: of the browser or of `node:worker_threads`. */
export type TaskWorker = PageTaskWorker | NodeTaskWorker;

/** Where a domain's worker is. */
export interface TaskWorkerSource {
  /** `() => new Worker(new URL("./tasks.worker.js", import.meta.url), { type: "module" })`, word for word: bundlers look for it. */
  page(): PageTaskWorker;
  /** The file's path from `base`, for Node. */
  readonly file: string;
  /** `import.meta.url` of the module that says so. */
  readonly base: string;
}
