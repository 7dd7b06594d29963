import { DownloadError } from "../../errors.js";
import { type ByteSource, memorySource } from "../byte-source.js";
import { assertSibling } from "../file-source.js";
import { assertNoPassword, type Credentials, type Reply, redact, send, statusError } from "./request.js";
import { withRetries } from "./retries.js";

/** Bytes that a remote file is first asked for: most headers fit. */
const FIRST_REQUEST_BYTES = 64 * 1024;
/** Whoever reads waits: fewer than for a download, which goes on by itself. */
const ATTEMPTS = 3;

/** `bytes 0-99/1000` as numbers. */
function contentRange(headers: Headers): { start: number; end: number; size: number } | undefined {
  const found = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers.get("content-range") ?? "");
  return found === null
    ? undefined
    : { start: Number(found[1]), end: Number(found[2]) + 1, size: Number(found[3]) };
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
}

/** The whole body; at most `most` bytes, where that many were asked for. */
async function bytesOf(reply: Reply, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of reply.body()) {
    size += chunk.byteLength;
    if (size > most)
      throw new DownloadError(
        `${redact(reply.url)}: expected ${most} bytes, got more; the server ignores ranges`,
      );
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}

/**
 * A file behind a URL, read by Range requests; a server that ignores them gives the whole file once, kept in memory.
 * @throws DownloadError when it cannot be had.
 */
export async function remoteSource(
  url: URL,
  signal: AbortSignal | undefined,
  credentials?: Credentials,
): Promise<ByteSource> {
  assertNoPassword("openModelFiles", url);
  const name = redact(url);
  const ask = (start: number, end: number, askSignal: AbortSignal | undefined): Promise<Answer> =>
    withRetries(
      async () => {
        const reply = await send(url, {
          headers: { range: `bytes=${start}-${end - 1}` },
          signal: askSignal,
          credentials,
        });
        const { status, headers } = reply;
        if (status === 416 && start === 0) {
          // nothing satisfies a range of an empty file
          reply.cancel();
          return { status: 200, headers, bytes: new Uint8Array(0) };
        }
        if (status !== 200 && status !== 206) throw statusError(name, reply, { advice: "check the address" });
        const most = status === 206 ? end - start : Number.POSITIVE_INFINITY;
        return { status, headers, bytes: await bytesOf(reply, most) };
      },
      { attempts: ATTEMPTS, signal: askSignal },
    );
  const sibling = async (file: string, siblingSignal?: AbortSignal): Promise<ByteSource> => {
    assertSibling(name, file);
    const beside = new URL(file.split("/").map(encodeURIComponent).join("/"), url);
    // the query goes along, since it may carry a token
    beside.search = url.search;
    return remoteSource(beside, siblingSignal, credentials);
  };
  const first = await ask(0, FIRST_REQUEST_BYTES, signal);
  if (first.status !== 206) return { ...memorySource(first.bytes, name), sibling };
  const got = contentRange(first.headers);
  const beginning = first.bytes;
  if (got === undefined || got.start !== 0 || beginning.byteLength !== got.end)
    throw new DownloadError(
      `${name}: expected the beginning of the file, got content-range ${first.headers.get("content-range")}; the server must expose it (Access-Control-Expose-Headers)`,
    );
  const version = first.headers.get("etag");
  return {
    name,
    size: got.size,
    async read(start, end, readSignal) {
      readSignal?.throwIfAborted();
      if (end <= beginning.byteLength) return beginning.slice(start, end);
      const { headers, bytes } = await ask(start, end, readSignal);
      const part = contentRange(headers);
      if (part?.size !== got.size || headers.get("etag") !== version)
        throw new DownloadError(
          `${name}: expected the file that was opened, got another; it changed meanwhile, read it again`,
        );
      if (part.start !== start || part.end !== end || bytes.byteLength !== end - start)
        throw new DownloadError(
          `${name}: expected bytes ${start} to ${end}, got ${bytes.byteLength} bytes from ${part.start}`,
        );
      return bytes;
    },
    sibling,
  };
}
