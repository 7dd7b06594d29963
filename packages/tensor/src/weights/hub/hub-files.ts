import { DownloadError, InputError } from "../../errors.js";
import { inBrowser } from "../byte-source.js";
import { browserStore } from "../cache/browser-store.js";
import { diskStore } from "../cache/disk-store.js";
import { cacheStorageShelf, opfsShelf } from "../cache/shelf.js";
import type { HubFile, RepositoryStore } from "../cache/store.js";
import { isFileName } from "../file-names.js";
import { abortable } from "../http/abortable.js";
import { download } from "../http/download.js";
import { remoteSource } from "../http/remote-source.js";
import { TransientError } from "../http/request.js";
import type { FileProvider } from "../model-files.js";
import { advise, fileInfo, fileUrl, isCommit, type RepositoryInfo, repositoryInfo } from "./repository.js";
import {
  type CacheKind,
  type CacheOptions,
  cacheFolderOf,
  type HubOptions,
  hubSettings,
  mayLink,
} from "./settings.js";

/** The first kind of cache that there is here. @throws InputError for one that is not here. */
export function cacheKindOf({ cache, cacheFolder }: CacheOptions, operation = "openModelFiles"): CacheKind {
  const there: CacheKind[] = [];
  if (!inBrowser()) there.push("disk");
  else {
    if (typeof globalThis.FileSystemFileHandle?.prototype.createWritable === "function") there.push("opfs");
    if (typeof globalThis.caches === "object") there.push("cache-storage");
  }
  there.push("none");
  if (cache !== undefined && !there.includes(cache))
    throw new InputError(
      `${operation}: expected cache as one of ${there.join(", ")} here, got ${String(cache)}`,
    );
  const kind = cache ?? there[0];
  if (cacheFolder !== undefined && kind !== "disk")
    throw new InputError(
      `${operation}: expected cacheFolder with cache "disk", got it with "${kind}"; leave it out`,
    );
  return kind;
}

async function openStore(options: HubOptions, id: string): Promise<RepositoryStore | undefined> {
  switch (cacheKindOf(options)) {
    case "disk":
      return diskStore(await cacheFolderOf(options), id, mayLink());
    case "opfs":
      return browserStore(await opfsShelf(), id);
    case "cache-storage":
      return browserStore(await cacheStorageShelf(), id);
    default:
      return undefined;
  }
}

/** A branch or tag may have segments; none may lead out of the cache. */
function assertRevision(revision: unknown): asserts revision is string {
  if (!isFileName(revision))
    throw new InputError(
      `openModelFiles: expected revision as the name of a branch or tag, or a commit, got ${JSON.stringify(revision)}`,
    );
}

/** What went wrong may be the network: then the cache serves. */
function isUnreachable(error: unknown): boolean {
  return error instanceof TransientError;
}

/**
 * The files of a repository of the hub. The revision is looked up once: all files are of one commit, however long the
 * reading takes.
 */
export async function hubFiles(
  id: string,
  revision: string,
  options: HubOptions,
  signal: AbortSignal | undefined,
): Promise<FileProvider> {
  assertRevision(revision);
  const settings = await hubSettings(options);
  const store = await openStore(options, id);
  let commit = isCommit(revision) ? revision : await store?.commitOf(revision);
  let isOffline = settings.offline;
  let info: Promise<RepositoryInfo["files"]> | undefined;

  const ask = async (
    wanted: string,
    { signal: askSignal, attempts }: { signal?: AbortSignal | undefined; attempts?: number | undefined } = {},
  ): Promise<RepositoryInfo> => {
    const found = await repositoryInfo(settings, id, wanted, { signal: askSignal, attempts });
    const complete = new Map<string, HubFile>();
    for (const [path, file] of found.files) if (file !== undefined) complete.set(path, file);
    if (complete.size === found.files.size) await store?.setListing(found.commit, complete);
    return found;
  };
  /** All files of the commit, from the cache or the hub. */
  const files = (askSignal: AbortSignal | undefined): Promise<RepositoryInfo["files"]> => {
    // one request for all who wait: whoever aborts stops waiting only
    info ??= (async () => (await store?.listing(commit!)) ?? (await ask(commit!)).files)();
    // a failure is not remembered
    info.catch(() => {
      info = undefined;
    });
    return abortable(info, askSignal);
  };

  if (isOffline && store === undefined)
    throw new InputError('openModelFiles: expected offline with a cache, got cache "none"; use one of them');
  if (!isOffline && !isCommit(revision)) {
    try {
      // with a cache to fall back on, one attempt is enough
      const found = await ask(revision, { signal, attempts: commit === undefined ? undefined : 2 });
      commit = found.commit;
      info = Promise.resolve(found.files);
      await store?.setCommit(revision, commit);
    } catch (error) {
      if (commit === undefined || !isUnreachable(error)) throw error;
      isOffline = true;
      console.warn(
        `openModelFiles: ${(error as Error).message}. Using ${id} at ${commit.slice(0, 8)}, which the cache has of ${revision}.`,
      );
    }
  }
  if (commit === undefined)
    throw new DownloadError(
      `${id}: expected revision ${revision} in the cache, since offline is set, got none; open it once while online`,
    );
  const known = commit;

  return {
    name: id,
    commit,
    async list(listSignal) {
      if (isOffline && (await store!.listing(known)) === undefined) return store!.kept(known);
      return [...(await files(listSignal))].map(([path, file]) =>
        file === undefined ? { path } : { path, sizeBytes: file.size, checksum: file.checksum },
      );
    },
    async open(path, { signal: openSignal = signal, onProgress }) {
      const listed = info === undefined ? undefined : (await info).get(path);
      const kept = await store?.find(known, path, listed);
      if (kept !== undefined) return kept;
      if (isOffline)
        throw new DownloadError(
          `${id}/${path}: expected the file in the cache, since ${settings.offline ? "offline is set" : "the hub does not answer"}, got none at ${known.slice(0, 8)}; open it once while online`,
          { file: path },
        );
      const all = await files(openSignal);
      if (!all.has(path))
        throw new DownloadError(
          `${id}/${path}: expected a file of the repository, got none of that name at ${known.slice(0, 8)}; there are ${[...all.keys()].slice(0, 10).join(", ")}${all.size > 10 ? " …" : ""}`,
          { file: path, status: 404 },
        );
      const url = fileUrl(settings, id, known, path);
      if (store === undefined) return remoteSource(url, openSignal, settings.credentials);
      const file = all.get(path) ?? (await fileInfo(settings, id, known, path, openSignal));
      return store.keep(
        known,
        file,
        (partial) =>
          download(
            {
              file: path,
              url,
              size: file.size,
              checksum: file.checksum,
              credentials: settings.credentials,
              signal: openSignal,
              onProgress,
              advice: (reply) => advise(settings, id, reply),
            },
            partial,
          ),
        openSignal,
      );
    },
  };
}
