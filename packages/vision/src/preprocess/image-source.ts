import { DownloadError, InputError } from "@ai/tensor";

/** Bytes of an encoded picture. */
export interface NamedBytes {
  readonly bytes: Uint8Array;
  /** What errors call it. */
  readonly name: string;
}

/** Options of reading a source. */
export interface SourceOptions {
  readonly maxBytes: number;
  readonly signal?: AbortSignal;
}

const isUrl = (text: string): boolean =>
  /^[a-z][a-z\d+.-]+:\/\//i.test(text) || /^(?:blob|data):/i.test(text);
const inBrowser = (): boolean => typeof globalThis.location === "object" && typeof process === "undefined";

/** Encoded bytes of a path, URL, `Blob` or buffer, undefined when the source is none of them. */
export async function bytesOf(source: unknown, options: SourceOptions): Promise<NamedBytes | undefined> {
  if (typeof source === "string" || source instanceof URL) return readAddress(source, options);
  if (source instanceof Uint8Array) return checked(source, "bytes", options);
  if (source instanceof ArrayBuffer) return checked(new Uint8Array(source), "bytes", options);
  if (ArrayBuffer.isView(source) && !(source instanceof Uint8ClampedArray))
    return checked(new Uint8Array(source.buffer, source.byteOffset, source.byteLength), "bytes", options);
  if (typeof Blob !== "undefined" && source instanceof Blob) {
    const name = "name" in source ? String(source.name) : "Blob";
    assertBytes(source.size, name, options);
    return { bytes: new Uint8Array(await source.arrayBuffer()), name };
  }
  return undefined;
}

function assertBytes(size: number, name: string, { maxBytes }: SourceOptions): void {
  if (size > maxBytes)
    throw new InputError(
      `readImage: ${name}: expected a file of at most ${maxBytes} bytes, got ${size}; raise maxBytes if you trust it`,
    );
}

function checked(bytes: Uint8Array, name: string, options: SourceOptions): NamedBytes {
  assertBytes(bytes.byteLength, name, options);
  return { bytes, name };
}

async function readAddress(source: string | URL, options: SourceOptions): Promise<NamedBytes> {
  const text = String(source);
  const isPath = typeof source === "string" && !isUrl(text) && !inBrowser();
  if (isPath || text.startsWith("file:")) return readFileAt(source, options);
  const url = new URL(text, inBrowser() ? globalThis.location.href : undefined);
  // a data URL is long and a query may hold a secret
  const name = url.protocol === "data:" ? "data URL" : `${url.origin}${url.pathname}`;
  let response: Response;
  try {
    response = await fetch(url, { signal: options.signal });
  } catch (error) {
    options.signal?.throwIfAborted();
    throw new DownloadError(`readImage: ${name}: expected an answer, got ${(error as Error).message}`, {
      file: name,
      cause: error,
    });
  }
  if (!response.ok)
    throw new DownloadError(`readImage: ${name}: expected a picture, got HTTP ${response.status}`, {
      file: name,
      status: response.status,
    });
  return { bytes: await readBody(response, name, options), name };
}

/** The body, given up as soon as it is longer than allowed. */
async function readBody(response: Response, name: string, options: SourceOptions): Promise<Uint8Array> {
  const announced = Number(response.headers.get("content-length") ?? 0);
  const pieces: Uint8Array[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  try {
    assertBytes(announced, name, options);
    for (;;) {
      const next = await reader?.read();
      if (next === undefined || next.done) break;
      size += next.value.length;
      assertBytes(size, name, options);
      pieces.push(next.value);
    }
  } catch (error) {
    await reader?.cancel().catch(() => undefined);
    options.signal?.throwIfAborted();
    if (error instanceof InputError) throw error;
    throw new DownloadError(`readImage: ${name}: expected the whole file, got ${(error as Error).message}`, {
      file: name,
      cause: error,
    });
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

async function readFileAt(source: string | URL, options: SourceOptions): Promise<NamedBytes> {
  const { readFile, stat } = await import(/* webpackIgnore: true */ "node:fs/promises");
  const { fileURLToPath } = await import(/* webpackIgnore: true */ "node:url");
  const text = String(source);
  const path = text.startsWith("file:") ? fileURLToPath(text) : text;
  try {
    const found = await stat(path);
    if (!found.isFile())
      throw new InputError(
        `readImage: ${path}: expected a file, got ${found.isDirectory() ? "a folder" : "something else"}`,
      );
    assertBytes(found.size, path, options);
    return { bytes: await readFile(path, { signal: options.signal }), name: path };
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof InputError) throw error;
    throw new InputError(
      `readImage: ${path}: expected a file that can be read, got ${(error as Error).message}`,
    );
  }
}
