import { DownloadError } from "../../errors.js";
import type { HubFile } from "../cache/store.js";
import { isFileName } from "../file-names.js";
import { checksumOf } from "../http/checksum.js";
import { type Reply, redact, send, statusError, textOf } from "../http/request.js";
import { withRetries } from "../http/retries.js";
import { parseStrictJson, type StrictJson, StrictJsonProblem } from "../strict-json.js";
import type { HubSettings } from "./settings.js";

/** Deeper than any answer of the hub (model cards and configurations are in it). */
const MAX_DEPTH = 64;

/** What the hub says of a revision. */
export interface RepositoryInfo {
  readonly commit: string;
  /** By path. A file without size or checksum in the listing has neither here. */
  readonly files: ReadonlyMap<string, HubFile | undefined>;
}

/** Whether a text can be the id of a repository: `name` or `owner/name`. */
export function isRepositoryId(text: string): boolean {
  return (
    /^[A-Za-z\d][\w.-]{0,95}(?:\/[A-Za-z\d_][\w.-]{0,95})?$/.test(text) &&
    !/--|\.\.|[-.](?:\/|$)|\.git$/.test(text)
  );
}

/** Whether a revision is a whole commit, which never changes. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

function urlUnder({ endpoint }: HubSettings, ...segments: string[]): URL {
  return new URL(`${endpoint.href.replace(/\/$/, "")}/${segments.join("/")}`);
}

/** Where a file of a commit is. */
export function fileUrl(settings: HubSettings, id: string, commit: string, path: string): URL {
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  return urlUnder(settings, id, "resolve", encodeURIComponent(commit), encoded);
}

/** What to do about a status of the hub. */
export function advise({ endpoint, credentials }: HubSettings, id: string, reply: Reply): string {
  const code = reply.headers.get("x-error-code");
  if (code === "RevisionNotFound") return "the repository has no such revision";
  if (code === "EntryNotFound") return "the revision has no such file";
  if (reply.status === 403 || code === "GatedRepo")
    return `accept its conditions at ${redact(endpoint).replace(/\/$/, "")}/${id} and use a token of an account that may read it`;
  if (reply.status === 401 || code === "RepoNotFound")
    return credentials === undefined
      ? "check the name; a private or gated model needs a token (option token, or HF_TOKEN)"
      : "check the name, and that the token is valid and may read it";
  if (reply.status === 404) return "check name, revision and endpoint";
  return "";
}

/**
 * Asks the hub for the commit that a revision means and for its files.
 * @param attempts How often it is tried.
 * @throws DownloadError when there is no such repository or revision, or the answer is not one of a hub.
 */
export async function repositoryInfo(
  settings: HubSettings,
  id: string,
  revision: string,
  { signal, attempts }: { signal?: AbortSignal | undefined; attempts?: number | undefined },
): Promise<RepositoryInfo> {
  const url = urlUnder(settings, "api/models", id, "revision", encodeURIComponent(revision));
  url.search = "?blobs=true";
  const text = await withRetries(
    async () => {
      const reply = await send(url, { signal, credentials: settings.credentials });
      if (reply.status !== 200)
        throw statusError(`${id} at ${revision} (${redact(url)})`, reply, {
          advice: advise(settings, id, reply),
        });
      return textOf(reply);
    },
    { signal, attempts },
  );
  const fail = (got: string): never => {
    throw new DownloadError(`${id}: expected what a hub says of a model, got ${got} from ${redact(url)}`);
  };
  let root: StrictJson;
  try {
    root = parseStrictJson(text, MAX_DEPTH);
  } catch (error) {
    return fail(error instanceof StrictJsonProblem ? `${error.problem} in its JSON` : String(error));
  }
  if (!(root instanceof Map)) return fail("no object");
  const commit = root.get("sha");
  if (typeof commit !== "string" || !isCommit(commit)) return fail("no commit (sha)");
  const siblings = root.get("siblings");
  if (!Array.isArray(siblings)) return fail("no files (siblings)");
  const files = new Map<string, HubFile | undefined>();
  for (const sibling of siblings as readonly StrictJson[]) {
    const path = sibling instanceof Map ? sibling.get("rfilename") : undefined;
    if (!isFileName(path)) return fail(`the file name ${JSON.stringify(path)}, which is refused`);
    files.set(path, parseSibling(path, sibling as ReadonlyMap<string, StrictJson>));
  }
  return { commit, files };
}

function parseSibling(path: string, entry: ReadonlyMap<string, StrictJson>): HubFile | undefined {
  const lfs = entry.get("lfs");
  const text = (value: StrictJson | undefined): string | undefined =>
    typeof value === "string" ? value : undefined;
  const blobId = text(entry.get("blobId"));
  const sha256 = lfs instanceof Map ? text(lfs.get("sha256") ?? lfs.get("oid")) : undefined;
  const checksum = checksumOf(sha256 ?? blobId);
  const size = (lfs instanceof Map ? lfs.get("size") : undefined) ?? entry.get("size");
  if (checksum === undefined || typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    return undefined;
  return { path, size, checksum, ...(blobId === undefined ? {} : { blobId }) };
}

/**
 * Size and checksum of a file whose listing has none, from the headers of its address.
 * @throws DownloadError when they are not there either.
 */
export async function fileInfo(
  settings: HubSettings,
  id: string,
  commit: string,
  path: string,
  signal: AbortSignal | undefined,
): Promise<HubFile> {
  const url = fileUrl(settings, id, commit, path);
  const reply = await withRetries(
    async () => {
      const answer = await send(url, { method: "HEAD", signal, credentials: settings.credentials });
      if (answer.status !== 200)
        throw statusError(`${path} (${redact(answer.url)})`, answer, {
          file: path,
          advice: advise(settings, id, answer),
        });
      answer.cancel();
      return answer;
    },
    { signal },
  );
  const all = [...reply.redirects, reply.headers];
  const first = (name: string): string | null =>
    all.map((headers) => headers.get(name)).find((value) => value !== null) ?? null;
  const checksum = checksumOf(first("x-linked-etag") ?? first("etag"));
  const size = Number(first("x-linked-size") ?? reply.headers.get("content-length") ?? Number.NaN);
  if (checksum === undefined || !Number.isSafeInteger(size))
    throw new DownloadError(
      `${path}: expected size and checksum (X-Linked-Size, X-Linked-ETag or ETag), got none from ${redact(url)}; use an endpoint that gives them`,
      { file: path },
    );
  return { path, size, checksum };
}
