import type { TaskWorkerSource } from "../tasks/index.js";

/** Where the worker of the test's task is. */
export const digitWorker: TaskWorkerSource = {
  page: () => new Worker(new URL("./digit.worker.js", import.meta.url), { type: "module" }),
  file: "./digit.worker.js",
  base: import.meta.url,
};
