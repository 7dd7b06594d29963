import { DownloadError } from "../../errors.js";
import { TransientError } from "./request.js";

/** A server that asks for more patience gets an error instead. */
const MOST_WAIT_SECONDS = 120;
const MOST_BACKOFF_SECONDS = 10;

/** How {@link withRetries} tries. */
export interface RetryOptions {
  /** How often, one after the other, before the failure stands. Default 6. */
  readonly attempts?: number | undefined;
  /** The first wait; each following is twice as long, up to 10 seconds. Default 0.5. */
  readonly backoffSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Grows while something is achieved: then the attempts are counted anew. */
  readonly progress?: () => number;
}

/** Waits. @throws the signal's reason. */
function sleep(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, seconds * 1000);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/**
 * Tries until it succeeds, fails for good, or fails too often: waits twice as long each time, or as long as the
 * server asks (`Retry-After`).
 * @throws what the last attempt threw, DownloadError when the server asks to wait for more than two minutes.
 */
export async function withRetries<Result>(
  attempt: () => Promise<Result>,
  { attempts = 6, backoffSeconds = 0.5, signal, progress = () => 0 }: RetryOptions = {},
): Promise<Result> {
  let failures = 0;
  let before = progress();
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      if (progress() > before) failures = 0;
      before = progress();
      failures++;
      if (failures >= attempts) throw error;
      const asked = error.retryAfterSeconds;
      if (asked !== undefined && asked > MOST_WAIT_SECONDS)
        throw new DownloadError(
          `${error.message} (the server asks to wait ${Math.ceil(asked)} seconds)`,
          failureOf(error),
        );
      // spread out, so that many clients do not come back at once
      const backoff = Math.min(backoffSeconds * 2 ** (failures - 1), MOST_BACKOFF_SECONDS);
      await sleep(asked ?? backoff * (0.75 + Math.random() / 2), signal);
    }
  }
}

function failureOf({ file, status }: DownloadError): { file?: string; status?: number } {
  return { ...(file === undefined ? {} : { file }), ...(status === undefined ? {} : { status }) };
}
