import { DownloadError, InputError, WeightsError } from "../errors.js";

/** Where weights are read from: a path (Node), a URL, a `Blob` or `File`, or bytes in memory. */
export type WeightsSource = string | URL | Blob | Uint8Array | ArrayBuffer;

/** Bytes that are read by range. */
export interface ByteSource {
  /** What errors call it. */
  readonly name: string;
  readonly size: number;
  /** The bytes from `start` to before `end`, in memory that the caller may keep. */
  read(start: number, end: number, signal?: AbortSignal): Promise<Uint8Array>;
}

/** Bytes that a remote file is first asked for: most headers fit. */
const FIRST_REQUEST_BYTES = 64 * 1024;

/** Whether a string is a URL rather than a path; `C:\\model` is a path. */
function isUrl(text: string): boolean {
  return /^[a-z][a-z\d+.-]+:\/\//i.test(text) || /^(?:blob|data):/i.test(text);
}

/** Whether code runs in a page or a worker of a browser. */
function inBrowser(): boolean {
  return typeof globalThis.process?.versions?.node !== "string";
}

/**
 * Opens a source: a string is a URL when it has a scheme; else a path in Node, a URL relative to the page in browsers.
 * @throws InputError for something else, WeightsError or DownloadError when it cannot be read.
 */
export async function openSource(source: WeightsSource, signal?: AbortSignal): Promise<ByteSource> {
  signal?.throwIfAborted();
  if (source instanceof ArrayBuffer) return memorySource(new Uint8Array(source));
  if (source instanceof Uint8Array) return memorySource(source);
  if (typeof Blob !== "undefined" && source instanceof Blob) return blobSource(source);
  if (source instanceof URL || (typeof source === "string" && (isUrl(source) || inBrowser()))) {
    const url =
      source instanceof URL ? source : new URL(source, inBrowser() ? globalThis.location.href : undefined);
    if (url.protocol !== "file:") return remoteSource(url, signal);
    const { fileURLToPath } = await import("node:url");
    return fileSource(fileURLToPath(url));
  }
  if (typeof source === "string") return fileSource(source);
  throw new InputError(`readSafetensors: expected a path, URL, Blob or bytes, got ${typeof source}`);
}

/** Bytes in memory. */
export function memorySource(data: Uint8Array, name = "safetensors"): ByteSource {
  return {
    name,
    size: data.byteLength,
    async read(start, end, signal) {
      signal?.throwIfAborted();
      return Uint8Array.prototype.slice.call(data, start, end);
    },
  };
}

function blobSource(blob: Blob): ByteSource {
  const name = "name" in blob && typeof blob.name === "string" ? blob.name : "Blob";
  return {
    name,
    size: blob.size,
    async read(start, end, signal) {
      signal?.throwIfAborted();
      let bytes: Uint8Array;
      try {
        bytes = new Uint8Array(await blob.slice(start, end).arrayBuffer());
      } catch (error) {
        throw new WeightsError(
          `${name}: expected a file that can be read, got ${String(error)}; choose it again`,
        );
      }
      signal?.throwIfAborted();
      return assertComplete(name, bytes, end - start);
    },
  };
}

function assertComplete(name: string, bytes: Uint8Array, expected: number): Uint8Array {
  if (bytes.byteLength !== expected)
    throw new WeightsError(
      `${name}: expected ${expected} bytes, got ${bytes.byteLength}; the file is cut off or changed meanwhile`,
    );
  return bytes;
}

/** A file of this machine, opened for each read; it must stay the file that it was. */
async function fileSource(path: string): Promise<ByteSource> {
  const { open, stat } = await import("node:fs/promises");
  const stamp = async (): Promise<{ size: number; mark: string }> => {
    try {
      const { size, mtimeMs, ino } = await stat(path);
      return { size, mark: `${size} ${mtimeMs} ${ino}` };
    } catch (error) {
      throw new WeightsError(`${path}: expected a file that can be read, got ${(error as Error).message}`);
    }
  };
  const { size, mark } = await stamp();
  return {
    name: path,
    size,
    async read(start, end, signal) {
      signal?.throwIfAborted();
      const file = await open(path, "r");
      try {
        if ((await stamp()).mark !== mark)
          throw new WeightsError(
            `${path}: expected the file that was opened, got one changed meanwhile; read it again`,
          );
        const bytes = new Uint8Array(end - start);
        let filled = 0;
        while (filled < bytes.byteLength) {
          // in pieces, so that an abort does not wait for gigabytes
          const length = Math.min(bytes.byteLength - filled, 2 ** 26);
          const { bytesRead } = await file.read(bytes, filled, length, start + filled);
          if (bytesRead === 0) break;
          filled += bytesRead;
          signal?.throwIfAborted();
        }
        return assertComplete(path, bytes.subarray(0, filled), end - start);
      } finally {
        await file.close();
      }
    },
  };
}

async function request(
  url: URL,
  headers: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { headers, ...(signal === undefined ? {} : { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    const cause = (error as Error).cause;
    throw new DownloadError(
      `${url.href}: expected a response, got ${cause instanceof Error ? cause.message : String(error)}`,
    );
  }
  if (!response.ok) {
    await response.body?.cancel();
    throw new DownloadError(
      `${url.href}: expected HTTP 200 or 206, got ${response.status} ${response.statusText}`,
    );
  }
  return response;
}

async function bodyOf(url: URL, response: Response, signal: AbortSignal | undefined): Promise<Uint8Array> {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    signal?.throwIfAborted();
    throw new DownloadError(`${url.href}: expected the whole body, got ${String(error)}; try again`);
  }
}

/** `bytes 0-99/1000` as numbers. */
function contentRange(response: Response): { start: number; end: number; size: number } | undefined {
  const found = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
  return found === null
    ? undefined
    : { start: Number(found[1]), end: Number(found[2]) + 1, size: Number(found[3]) };
}

/** A file behind a URL, read by Range requests; a server that ignores them gives the whole file once, kept in memory. */
async function remoteSource(url: URL, signal: AbortSignal | undefined): Promise<ByteSource> {
  const name = url.href;
  const range = (start: number, end: number): Record<string, string> => ({
    range: `bytes=${start}-${end - 1}`,
  });
  const first = await request(url, range(0, FIRST_REQUEST_BYTES), signal);
  if (first.status !== 206) return memorySource(await bodyOf(url, first, signal), name);
  const got = contentRange(first);
  const beginning = await bodyOf(url, first, signal);
  if (got === undefined || got.start !== 0 || beginning.byteLength !== got.end)
    throw new DownloadError(
      `${name}: expected the beginning of the file, got content-range ${first.headers.get("content-range")}`,
    );
  const version = first.headers.get("etag");
  return {
    name,
    size: got.size,
    async read(start, end, readSignal) {
      readSignal?.throwIfAborted();
      if (end <= beginning.byteLength) return beginning.slice(start, end);
      const response = await request(url, range(start, end), readSignal);
      const bytes = await bodyOf(url, response, readSignal);
      const part = contentRange(response);
      if (part?.size !== got.size || response.headers.get("etag") !== version)
        throw new DownloadError(
          `${name}: expected the file that was opened, got another; it changed meanwhile, read it again`,
        );
      if (part.start !== start || part.end !== end || bytes.byteLength !== end - start)
        throw new DownloadError(
          `${name}: expected bytes ${start} to ${end}, got ${bytes.byteLength} bytes from ${part.start}`,
        );
      return bytes;
    },
  };
}
