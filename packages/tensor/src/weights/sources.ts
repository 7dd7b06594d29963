import { InputError } from "../errors.js";
import { type ByteSource, blobSource, inBrowser, isByteSource, memorySource } from "./byte-source.js";
import { fileSource } from "./file-source.js";
import { remoteSource } from "./http/remote-source.js";

export type { ByteSource } from "./byte-source.js";

/**
 * Where weights are read from: a path (Node), a URL, a `Blob` or `File`, bytes in memory, or a file that
 * `openModelFiles` opened.
 */
export type WeightsSource = string | URL | Blob | Uint8Array | ArrayBuffer | ByteSource;

/** Whether a string is a URL rather than a path; `C:\\model` is a path. */
export function isUrl(text: string): boolean {
  return /^[a-z][a-z\d+.-]+:\/\//i.test(text) || /^(?:blob|data):/i.test(text);
}

/**
 * Opens a source: a string is a URL when it has a scheme; else a path in Node, a URL relative to the page in browsers.
 * @throws InputError for something else, WeightsError or DownloadError when it cannot be read.
 */
export async function openSource(source: WeightsSource, signal?: AbortSignal): Promise<ByteSource> {
  signal?.throwIfAborted();
  if (isByteSource(source)) return source;
  if (source instanceof ArrayBuffer) return memorySource(new Uint8Array(source));
  if (source instanceof Uint8Array) return memorySource(source);
  if (typeof Blob !== "undefined" && source instanceof Blob) return blobSource(source);
  if (source instanceof URL || (typeof source === "string" && (isUrl(source) || inBrowser()))) {
    const url =
      source instanceof URL ? source : new URL(source, inBrowser() ? globalThis.location.href : undefined);
    if (url.protocol !== "file:") return remoteSource(url, signal);
    const { fileURLToPath } = await import(/* webpackIgnore: true */ "node:url");
    return fileSource(fileURLToPath(url));
  }
  if (typeof source === "string") return fileSource(source);
  throw new InputError(`readSafetensors: expected a path, URL, Blob or bytes, got ${typeof source}`);
}
