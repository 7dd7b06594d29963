import type { TaskWorkerSource } from "@ai/layers/tasks";

/** Where the worker of all vision tasks is. */
export const visionWorker: TaskWorkerSource = {
  page: () => new Worker(new URL("./tasks.worker.js", import.meta.url), { type: "module" }),
  file: "./tasks.worker.js",
  base: import.meta.url,
};
