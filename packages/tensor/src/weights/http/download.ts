import { DownloadError } from "../../errors.js";
import { type Checksum, checksumOf, createHasher, type Hasher } from "./checksum.js";
import { type ProgressListener, ProgressMeter } from "./progress.js";
import { type Credentials, type Reply, redact, send, statusError, TransientError } from "./request.js";
import { withRetries } from "./retries.js";

/** A file on its way: what came so far is kept where an interruption does not lose it. */
export interface PartialFile {
  /** Bytes that are kept. */
  readonly length: number;
  /** The bytes that are kept, in pieces. */
  bytes(): AsyncIterable<Uint8Array>;
  append(chunk: Uint8Array): Promise<void>;
  /** Forgets all bytes. */
  reset(): Promise<void>;
}

/** What is downloaded, and what it must be. */
export interface DownloadTask {
  /** Its path, for messages and progress. */
  readonly file: string;
  readonly url: URL;
  readonly size: number;
  readonly checksum: Checksum;
  readonly credentials?: Credentials | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ProgressListener | undefined;
  readonly idleSeconds?: number | undefined;
  readonly backoffSeconds?: number | undefined;
  /** What to do about a status that is an error. */
  readonly advice?: (reply: Reply) => string;
}

/** The file is not what was begun: what came so far is worthless. */
class StaleError extends DownloadError {}

/**
 * Downloads into `partial`, from where it ends, until size and checksum are right. Lost connections are taken up
 * again where they broke. When the checksum of pieces from different attempts is wrong, or the file changed meanwhile,
 * the whole is fetched once more.
 * @throws DownloadError when it cannot be had or has the wrong bytes (`partial` is then empty), the signal's reason.
 */
export async function download(task: DownloadTask, partial: PartialFile): Promise<void> {
  const { file, size, checksum, signal, onProgress, backoffSeconds } = task;
  const meter = new ProgressMeter(file, size, onProgress);
  let furthest = 0;
  for (let isSecond = false; ; isSecond = true) {
    try {
      if (partial.length > size)
        throw new StaleError(`${file}: expected ${size} bytes, got ${partial.length}`);
      const attempt: Attempt = {
        hasher: await createHasher(checksum.algorithm, size),
        meter,
        etag: undefined,
      };
      for await (const bytes of partial.bytes()) {
        signal?.throwIfAborted();
        attempt.hasher.update(bytes);
      }
      furthest = partial.length;
      meter.start(partial.length);
      await withRetries(() => fetchRest(task, partial, attempt), {
        signal,
        backoffSeconds,
        progress: () => {
          furthest = Math.max(furthest, partial.length);
          return furthest;
        },
      });
      assertChecksum(task, attempt.hasher);
      return;
    } catch (error) {
      if (!(error instanceof StaleError)) throw error;
      await partial.reset();
      if (isSecond) throw error;
    }
  }
}

/** What one reading from the beginning to the end carries along. */
interface Attempt {
  hasher: Hasher;
  readonly meter: ProgressMeter;
  /** The version that the server sends. */
  etag: string | undefined;
}

function assertChecksum({ file, url, checksum }: DownloadTask, hasher: Hasher): void {
  const digest = hasher.digest();
  if (digest !== checksum.hex)
    throw new StaleError(
      `${file}: expected ${checksum.algorithm} ${checksum.hex}, got ${digest} from ${redact(url)}; something on the way changed the bytes, try again or another endpoint`,
      { file },
    );
}

/** One request for what is missing. */
async function fetchRest(task: DownloadTask, partial: PartialFile, attempt: Attempt): Promise<void> {
  const { file, url, size, checksum, credentials, signal, idleSeconds, advice } = task;
  const start = partial.length;
  if (start === size) return;
  const reply = await send(url, {
    credentials,
    signal,
    idleSeconds,
    headers: start === 0 ? {} : { range: `bytes=${start}-` },
  });
  const stale = async (problem: string): Promise<never> => {
    reply.cancel();
    throw new StaleError(`${file}: expected the file that the repository lists, got ${problem}; try again`, {
      file,
      status: reply.status,
    });
  };
  if (reply.status === 416) return stale(`no bytes from ${start} on`);
  if (reply.status !== 200 && reply.status !== 206)
    throw statusError(`${file} (${redact(reply.url)})`, reply, {
      file,
      advice: advice?.(reply) ?? "",
    });
  assertListed(task, reply);
  const etag = reply.headers.get("etag") ?? "";
  if (attempt.etag !== undefined && etag !== attempt.etag) return stale("another one: it changed meanwhile");
  attempt.etag = etag;
  if (reply.status === 206) {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(reply.headers.get("content-range") ?? "");
    // browsers hide the header where the server does not expose it
    if (range !== null && (Number(range[1]) !== start || (range[2] !== "*" && Number(range[2]) !== size)))
      return stale(`content-range ${range[0]}`);
  } else if (start > 0) {
    // a server that ignores ranges sends the whole again
    await partial.reset();
    attempt.hasher = await createHasher(checksum.algorithm, size);
    attempt.meter.start(0);
  }
  for await (const chunk of reply.body()) {
    if (partial.length + chunk.byteLength > size) return stale(`more than its ${size} bytes`);
    await partial.append(chunk);
    attempt.hasher.update(chunk);
    attempt.meter.add(chunk.byteLength);
  }
  if (partial.length < size)
    throw new TransientError(
      `${file}: expected ${size} bytes, got ${partial.length}; the connection broke, try again: what came is kept`,
      { file },
    );
}

/** The hub names the checksum in its own answers too, where they can be seen. */
function assertListed({ file, url, checksum }: DownloadTask, reply: Reply): void {
  const own = reply.url.origin === url.origin ? [...reply.redirects, reply.headers] : reply.redirects;
  for (const headers of own) {
    const named = checksumOf(headers.get("x-linked-etag") ?? headers.get("etag"));
    if (named !== undefined && named.algorithm === checksum.algorithm && named.hex !== checksum.hex)
      throw new DownloadError(
        `${file}: expected ${checksum.algorithm} ${checksum.hex}, got a file with ${named.hex}; it changed meanwhile, open the model again`,
        { file, status: reply.status },
      );
  }
}
