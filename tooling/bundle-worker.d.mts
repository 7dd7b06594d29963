import type { Worker } from "node:worker_threads";
import type { Plugin } from "esbuild";

export const sources: Plugin;
export function bundleModule(module: string | URL): Promise<URL>;
export function bundleWorker(module: string | URL): Promise<() => Worker>;
