/**
 * A small Hugging Face hub on loopback, for tests: an endpoint, and a second server on another host name and port to
 * which it redirects for large files, as the real one does. `node tooling/hub/hub.mjs` starts one and prints its URL.
 *
 * Tests say over HTTP what it has and what goes wrong, so that browsers can do it too:
 * `PUT /control/OWNER/NAME` with {@link Repository} as JSON, `GET /control/OWNER/NAME/log`,
 * `GET /control/OWNER/NAME/raw/PATH`.
 *
 * @typedef {{ text?: string, size?: number, seed?: number, large?: boolean }} File Text, or `size` bytes by `seed`.
 * @typedef {{
 *   on: "info" | "file" | "cdn", file?: string, times?: number, status?: number, headers?: Record<string, string>,
 *   body?: string, truncateAt?: number, lingerMilliseconds?: number, stallAt?: number, trickleAt?: number,
 *   corruptAt?: number, extraBytes?: number, ignoreRange?: boolean, slowMilliseconds?: number, location?: string,
 *   isDropped?: boolean,
 * }} Fault What goes wrong at the next `times` requests (default 1) of a kind: `truncateAt` breaks the connection after so
 *   many bytes and `lingerMilliseconds` (default 300), `stallAt` says no more, `trickleAt` sends byte by byte for ever, so
 *   that a client of any speed is in mid-download and learns of it.
 * @typedef {{
 *   commit: string, files: Record<string, File>, revisions?: Record<string, string>, token?: string, faults?: Fault[],
 *   siblings?: unknown, hasNoDetails?: boolean,
 * }} Repository `token`: what a request must bear. `siblings`: a listing that lies.
 */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const CORS = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "authorization, range",
  "access-control-allow-methods": "GET, HEAD, PUT, OPTIONS",
  "access-control-expose-headers":
    "etag, content-range, retry-after, x-repo-commit, x-linked-size, x-linked-etag, x-error-code",
  // pages read nothing stale, whatever their own requests say
  "cache-control": "no-store",
};
const PIECE_BYTES = 64 * 1024;
/** More than what lies between two words of progress. */
const TRICKLE_MILLISECONDS = 120;

/** Bytes that no compression and no repetition makes alike. */
function contentOf({ text, size = 0, seed = 1 }) {
  if (text !== undefined) return Buffer.from(text);
  const bytes = Buffer.alloc(size);
  let state = seed;
  for (let index = 0; index < size; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

function prepare(file) {
  const bytes = contentOf(file);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const gitSha1 = createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
  return { bytes, sha256, gitSha1, isLarge: file.large ?? false };
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Sends bytes as a fault says. */
async function sendBytes(request, response, bytes, headers, fault = {}) {
  const range = fault.ignoreRange ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  let start = 0;
  let end = bytes.length;
  let status = 200;
  if (range !== null) {
    start = Number(range[1]);
    if (range[2] !== "") end = Math.min(end, Number(range[2]) + 1);
    if (start >= bytes.length) {
      response.writeHead(416, { ...CORS, "content-range": `bytes */${bytes.length}` }).end();
      return;
    }
    status = 206;
  }
  let content = bytes.subarray(start, end);
  if (fault.corruptAt !== undefined && fault.corruptAt >= start && fault.corruptAt < end) {
    content = Buffer.from(content);
    content[fault.corruptAt - start] ^= 1;
  }
  if (fault.extraBytes !== undefined) content = Buffer.concat([content, Buffer.alloc(fault.extraBytes)]);
  response.writeHead(status, {
    ...CORS,
    ...headers,
    "content-length": String(content.length),
    "accept-ranges": "bytes",
    ...(status === 206 ? { "content-range": `bytes ${start}-${end - 1}/${bytes.length}` } : {}),
    ...fault.headers,
  });
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  const stop = Math.min(
    content.length,
    fault.truncateAt ?? fault.stallAt ?? fault.trickleAt ?? content.length,
  );
  for (let offset = 0; offset < stop && !response.destroyed; offset += PIECE_BYTES) {
    response.write(content.subarray(offset, Math.min(stop, offset + PIECE_BYTES)));
    if (fault.slowMilliseconds !== undefined) await pause(fault.slowMilliseconds);
  }
  if (fault.stallAt !== undefined) return;
  if (fault.trickleAt !== undefined)
    for (let offset = stop; offset < content.length && !response.destroyed; offset++) {
      response.write(content.subarray(offset, offset + 1));
      await pause(TRICKLE_MILLISECONDS);
    }
  // an error makes a client's stream drop what was not taken from it yet: time to take it
  const { lingerMilliseconds = 300 } = fault;
  if (fault.truncateAt !== undefined)
    response.write("", () => setTimeout(() => response.destroy(), lingerMilliseconds));
  else response.end();
}

/** Starts both servers. */
export async function startHub() {
  const repositories = new Map();
  let cdnUrl = "";

  const record = (repository, server, request, fault) => {
    const { authorization, range } = request.headers;
    repository.log.push({
      server,
      method: request.method,
      path: request.url,
      ...(range === undefined ? {} : { range }),
      ...(authorization === undefined ? {} : { authorization }),
      ...(fault === undefined ? {} : { hasFault: true }),
    });
  };
  const takeFault = (repository, on, file) => {
    const index = repository.faults.findIndex(
      (fault) => fault.on === on && (fault.file === undefined || fault.file === file),
    );
    if (index < 0) return undefined;
    const fault = repository.faults[index];
    fault.times = (fault.times ?? 1) - 1;
    if (fault.times <= 0) repository.faults.splice(index, 1);
    return fault;
  };
  /** Whether a fault was the whole answer. */
  const failed = (request, response, fault) => {
    if (fault?.isDropped) {
      request.socket.destroy();
      return true;
    }
    if (fault?.location !== undefined) {
      response.writeHead(302, { ...CORS, location: fault.location, ...fault.headers }).end();
      return true;
    }
    if (fault?.status === undefined && fault?.body === undefined) return false;
    response.writeHead(fault.status ?? 200, { ...CORS, ...fault.headers }).end(fault.body ?? "");
    return true;
  };
  const refuse = (response, status, code) =>
    response.writeHead(status, { ...CORS, ...(code === undefined ? {} : { "x-error-code": code }) }).end();
  const isAllowed = (repository, request) =>
    repository.token === undefined || request.headers.authorization === `Bearer ${repository.token}`;

  async function control(request, response, [owner, name, verb, ...rest]) {
    const id = `${owner}/${name}`;
    if (request.method === "PUT") {
      const wanted = JSON.parse(await bodyOf(request));
      const files = new Map(Object.entries(wanted.files).map(([path, file]) => [path, prepare(file)]));
      const log = repositories.get(id)?.log ?? [];
      repositories.set(id, { revisions: {}, ...wanted, faults: wanted.faults ?? [], files, log });
      response.writeHead(200, CORS).end();
      return;
    }
    const repository = repositories.get(id);
    if (verb === "log")
      response
        .writeHead(200, { ...CORS, "content-type": "application/json" })
        .end(JSON.stringify(repository.log));
    else response.writeHead(200, CORS).end(repository.files.get(rest.join("/")).bytes);
  }

  const commitOf = (repository, revision) =>
    revision === "main" || revision === repository.commit
      ? repository.commit
      : repository.revisions[revision];

  function info(request, response, repository, revision, isTree) {
    const fault = takeFault(repository, "info");
    record(repository, "hub", request, fault);
    if (failed(request, response, fault)) return;
    if (!isAllowed(repository, request)) return refuse(response, 401, "RepoNotFound");
    const commit = commitOf(repository, revision);
    if (commit === undefined) return refuse(response, 404, "RevisionNotFound");
    const files = [...repository.files];
    const answer = isTree
      ? files.map(([path, { bytes, sha256, gitSha1, isLarge }]) => ({
          type: "file",
          path,
          oid: gitSha1,
          size: bytes.length,
          ...(isLarge ? { lfs: { oid: sha256, size: bytes.length, pointerSize: 134 } } : {}),
        }))
      : {
          id: request.url.split("/").slice(3, 5).join("/"),
          sha: commit,
          private: repository.token !== undefined,
          siblings:
            repository.siblings ??
            files.map(([rfilename, { bytes, sha256, gitSha1, isLarge }]) => ({
              rfilename,
              ...(repository.hasNoDetails ? {} : { size: bytes.length, blobId: gitSha1 }),
              ...(isLarge && !repository.hasNoDetails
                ? { lfs: { sha256, size: bytes.length, pointerSize: 134 } }
                : {}),
            })),
        };
    response.writeHead(200, { ...CORS, "content-type": "application/json" }).end(JSON.stringify(answer));
  }

  async function resolve(request, response, repository, id, revision, path) {
    const fault = takeFault(repository, "file", path);
    record(repository, "hub", request, fault);
    if (failed(request, response, fault)) return;
    if (!isAllowed(repository, request)) return refuse(response, 401, "RepoNotFound");
    const commit = commitOf(repository, revision);
    if (commit === undefined) return refuse(response, 404, "RevisionNotFound");
    const file = repository.files.get(path);
    if (file === undefined) return refuse(response, 404, "EntryNotFound");
    const headers = { "x-repo-commit": commit };
    if (file.isLarge) {
      response
        .writeHead(302, {
          ...CORS,
          ...headers,
          location: `${cdnUrl}/${id}/${file.sha256}?signature=secret-signature`,
          "x-linked-size": String(file.bytes.length),
          "x-linked-etag": `"${file.sha256}"`,
          ...fault?.headers,
        })
        .end();
      return;
    }
    await sendBytes(request, response, file.bytes, { ...headers, etag: `"${file.gitSha1}"` }, fault);
  }

  const answering = (handle) => (request, response) => {
    if (request.method === "OPTIONS") response.writeHead(204, CORS).end();
    else
      handle(request, response).catch((error) => {
        console.error(error);
        response.destroy();
      });
  };

  const hub = createServer(
    answering(async (request, response) => {
      const segments = new URL(request.url, "http://hub").pathname
        .split("/")
        .slice(1)
        .map(decodeURIComponent);
      if (segments[0] === "control") return control(request, response, segments.slice(1));
      const isInfo = segments[0] === "api";
      const [owner, name, kind, revision, ...path] = isInfo ? segments.slice(2) : segments;
      const repository = repositories.get(`${owner}/${name}`);
      if (repository === undefined) return refuse(response, isInfo ? 401 : 404, "RepoNotFound");
      if (isInfo && (kind === "revision" || kind === "tree"))
        return info(request, response, repository, revision, kind === "tree");
      if (kind === "resolve")
        return resolve(request, response, repository, `${owner}/${name}`, revision, path.join("/"));
      return refuse(response, 404);
    }),
  );
  const cdn = createServer(
    answering(async (request, response) => {
      const [owner, name, hash] = new URL(request.url, "http://cdn").pathname.split("/").slice(1);
      const repository = repositories.get(`${owner}/${name}`);
      const found = [...(repository?.files ?? [])].find(([, { sha256 }]) => sha256 === hash);
      if (found === undefined) return refuse(response, 404);
      const fault = takeFault(repository, "cdn", found[0]);
      record(repository, "cdn", request, fault);
      if (failed(request, response, fault)) return;
      await sendBytes(request, response, found[1].bytes, { etag: `"cdn-${hash.slice(0, 16)}"` }, fault);
    }),
  );
  for (const server of [hub, cdn]) {
    // a client that is busy for a while must not find its connection closed
    server.keepAliveTimeout = 120_000;
    await new Promise((done, fail) => {
      server.once("error", fail);
      server.listen(0, "127.0.0.1", done);
    });
  }
  cdnUrl = `http://localhost:${cdn.address().port}`;
  return {
    url: `http://127.0.0.1:${hub.address().port}`,
    cdnUrl,
    async close() {
      for (const server of [hub, cdn]) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
    },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) console.log((await startHub()).url);
