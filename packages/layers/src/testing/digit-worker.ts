import type { TaskWorkerSource } from "../tasks/index.js";

/** Where the worker of the test's task is. */
export const digitWorker: TaskWorkerSource = {
  page: () => new Worker(new URL("./digit.worker.ts", import.meta.url), { type: "module" }),
  file: "./digit.worker.ts",
  base: import.meta.url,
};
