import type { Worker } from "node:worker_threads";

export function bundleWorker(module: string | URL): Promise<() => Worker>;
