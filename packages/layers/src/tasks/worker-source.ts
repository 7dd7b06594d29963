import type { AnyWorker, PageWorker } from "../worker-port.js";

/** A worker that serves tasks: of the browser or of `node:worker_threads`. */
export type TaskWorker = AnyWorker;

/** Where a domain's worker is. */
export interface TaskWorkerSource {
  /** `() => new Worker(new URL("./tasks.worker.js", import.meta.url), { type: "module" })`, word for word: bundlers look for it. */
  page(): PageWorker;
  /** The file's path from `base`, for Node. */
  readonly file: string;
  /** `import.meta.url` of the module that says so. */
  readonly base: string;
}
