import { DownloadError, InputError } from "../../errors.js";
import { inBrowser } from "../byte-source.js";
import { abortable } from "./abortable.js";

const MOST_REDIRECTS = 10;
const REDIRECTS = [301, 302, 303, 307, 308];
/** A server that is silent for so long counts as lost. */
const IDLE_SECONDS = 60;
/** Error texts and listings end here: a hostile server must not fill the memory. */
const MOST_TEXT_BYTES = 2 ** 26;

/** A secret and the one origin that may see it. */
export interface Credentials {
  readonly token: string;
  readonly origin: string;
}

/** How {@link send} asks. */
export interface SendOptions {
  readonly method?: "GET" | "HEAD";
  readonly headers?: Readonly<Record<string, string>>;
  readonly credentials?: Credentials | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly idleSeconds?: number | undefined;
}

/** An answer whose body has not been read yet; `body` or `cancel` must be called. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  /** Headers of the redirects that led here, in order; browsers show none. */
  readonly redirects: readonly Headers[];
  /** Where it came from at last. */
  readonly url: URL;
  /** The chunks, as they come. */
  body(): AsyncGenerator<Uint8Array, void>;
  cancel(): void;
}

/** A failure that may go away: a lost connection, a busy server. */
export class TransientError extends DownloadError {
  /** What the server asks for. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    message: string,
    details: { file?: string; status?: number; retryAfterSeconds?: number | undefined } = {},
  ) {
    super(message, details);
    this.retryAfterSeconds = details.retryAfterSeconds;
  }
}

/** A URL for messages: without user, password, query and fragment, where secrets are. */
export function redact(url: URL): string {
  return url.origin === "null" ? `${url.protocol}…` : `${url.origin}${url.pathname}`;
}

/** @throws InputError for a URL with a password: fetch refuses it in an error that shows it. */
export function assertNoPassword(operation: string, url: URL): void {
  if (url.username !== "" || url.password !== "")
    throw new InputError(
      `${operation}: expected a URL without user and password, got one for ${redact(url)}; give them in another way`,
    );
}

/** `error.cause` says what happened where fetch only says that it failed. */
function reasonOf(error: unknown): string {
  const cause = (error as Error).cause;
  const text = cause instanceof Error ? cause.message : String(error);
  return text.replace(/\w+:\/\/\S+/g, "…");
}

/** Whether the name of the server was not even found. */
function isUnreachable(error: unknown): boolean {
  const { code } = ((error as Error).cause ?? {}) as { code?: unknown };
  return code === "ENOTFOUND" || code === "EAI_AGAIN" || globalThis.navigator?.onLine === false;
}

/** Lets go of a body; not awaited, since an aborted one may never say that it ended. */
function drop(body: { cancel(): Promise<void> } | null | undefined): void {
  body?.cancel().catch(() => undefined);
}

/**
 * Sends one request. In Node redirects are followed here, so that a token never reaches another origin; browsers
 * follow them on their own and drop `Authorization` there, as the Fetch standard says.
 * @throws TransientError when there is no answer, DownloadError for a bad redirect, and the signal's reason.
 */
export async function send(start: URL, options: SendOptions = {}): Promise<Reply> {
  const { method = "GET", headers = {}, credentials, signal, idleSeconds = IDLE_SECONDS } = options;
  signal?.throwIfAborted();
  const control = new AbortController();
  const onAbort = (): void => control.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const watch = (): void => {
    clearTimeout(timer);
    timer = setTimeout(
      () => control.abort(new Error(`silence for ${idleSeconds} seconds`)),
      idleSeconds * 1000,
    );
  };
  const finish = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  };
  let url = start;
  const failure = (error: unknown, wanted: string): unknown => {
    finish();
    if (signal?.aborted) return signal.reason;
    if (error instanceof DownloadError) return error;
    return new TransientError(
      `${redact(url)}: expected ${wanted}, got ${reasonOf(error)}; ${isUnreachable(error) ? "are you offline? A folder, a file or bytes of a model need no network" : "try again"}`,
    );
  };
  const redirects: Headers[] = [];
  try {
    for (;;) {
      watch();
      const asked = fetch(url, {
        method,
        headers: {
          ...headers,
          // a compressed body has no ranges; browsers send this by themselves with a range
          ...(inBrowser() ? {} : { "accept-encoding": "identity" }),
          ...(credentials?.origin === url.origin ? { authorization: `Bearer ${credentials.token}` } : {}),
        },
        redirect: inBrowser() ? "follow" : "manual",
        // large files must not lie in the browser's own cache too
        ...(inBrowser() ? { cache: "no-store" as const } : {}),
        signal: control.signal,
      });
      const response = await abortable(asked, control.signal);
      if (!inBrowser() && REDIRECTS.includes(response.status)) {
        drop(response.body);
        redirects.push(response.headers);
        url = redirectTarget(url, response.headers.get("location"), redirects.length);
        continue;
      }
      if (response.redirected) url = new URL(response.url);
      return {
        status: response.status,
        headers: response.headers,
        redirects,
        url,
        async *body() {
          const reader = response.body?.getReader();
          try {
            for (;;) {
              watch();
              // Node's read may never settle after an abort
              const part = reader && (await abortable(reader.read(), control.signal));
              if (part === undefined || part.done) return;
              // the receiver's time is not the server's silence
              clearTimeout(timer);
              yield part.value;
            }
          } catch (error) {
            throw failure(error, "the whole body");
          } finally {
            finish();
            drop(reader);
          }
        },
        cancel() {
          finish();
          drop(response.body);
        },
      };
    }
  } catch (error) {
    throw failure(error, "a response");
  }
}

function redirectTarget(from: URL, location: string | null, count: number): URL {
  const fail = (got: string): never => {
    throw new DownloadError(`${redact(from)}: expected a redirect to a file, got ${got}`);
  };
  if (count > MOST_REDIRECTS) return fail(`more than ${MOST_REDIRECTS} redirects`);
  if (location === null) return fail("one without a location");
  let target: URL;
  try {
    target = new URL(location, from);
  } catch {
    return fail("one to no URL");
  }
  if (!/^https?:$/.test(target.protocol)) return fail(`one to ${target.protocol}`);
  if (from.protocol === "https:" && target.protocol === "http:") return fail("one from https to http");
  if (target.username !== "" || target.password !== "") return fail("one with a password");
  return target;
}

/** The whole body as text. @throws DownloadError beyond 64 MiB. */
export async function textOf(reply: Reply): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of reply.body()) {
    size += chunk.byteLength;
    if (size > MOST_TEXT_BYTES)
      throw new DownloadError(
        `${redact(reply.url)}: expected a listing of at most ${MOST_TEXT_BYTES} bytes, got more`,
      );
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/**
 * The error of a status that is not wanted; the body is dropped. 408, 429 and 5xx are transient.
 * @param advice What to do about it.
 */
export function statusError(
  what: string,
  reply: Reply,
  { file, advice = "" }: { file?: string; advice?: string } = {},
): DownloadError {
  reply.cancel();
  const { status } = reply;
  const message = `${what}: expected HTTP 200 or 206, got ${status}`;
  const named = { status, ...(file === undefined ? {} : { file }) };
  if (status !== 408 && status !== 429 && status < 500)
    return new DownloadError(advice === "" ? message : `${message}; ${advice}`, named);
  return new TransientError(
    `${message}; ${status === 429 ? "too many requests" : "the server is busy or down"}, try again later`,
    {
      ...named,
      retryAfterSeconds: retryAfter(reply.headers),
    },
  );
}

/** `Retry-After` in seconds or as a date. */
function retryAfter(headers: Headers): number | undefined {
  const text = headers.get("retry-after")?.trim();
  if (text === undefined || text === "") return undefined;
  const seconds = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}
