import type { Worker } from "node:worker_threads";
import type { Plugin } from "esbuild";

export const sources: Plugin;
export function bundleWorker(module: string | URL): Promise<() => Worker>;
