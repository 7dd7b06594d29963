import { assertList, assertOptions } from "../../arguments.js";
import { InputError } from "../../errors.js";
import { cacheKindOf } from "../hub/hub-files.js";
import { isCommit } from "../hub/repository.js";
import { type CacheOptions, cacheFolderOf } from "../hub/settings.js";
import { browserKeeper } from "./browser-keeper.js";
import { diskKeeper } from "./disk-keeper.js";
import { cacheStorageShelf, opfsShelf } from "./shelf.js";
import type { KeptFile } from "./store.js";

/** A commit that the cache has files of. */
export interface CachedRevision {
  readonly commit: string;
  /** Branches and tags that meant it when they were last seen. */
  readonly refs: readonly string[];
  readonly files: readonly KeptFile[];
  /** Of these files; other revisions may share some. */
  readonly sizeBytes: number;
}

/** A model that the cache has. */
export interface CachedModel {
  readonly id: string;
  readonly revisions: readonly CachedRevision[];
  /** Of all that it takes, interrupted downloads included; a file that several revisions share counts once. */
  readonly sizeBytes: number;
  /** Of interrupted downloads. */
  readonly incompleteBytes: number;
}

/** What {@link pruneModelCache} removes; what several of these name is removed once. */
export interface PruneOptions extends CacheOptions {
  /** Ids of models, all of them. */
  readonly models?: readonly string[];
  /** Commits, of whatever model. */
  readonly revisions?: readonly string[];
  /** Commits that no branch or tag means any more. */
  readonly detached?: boolean;
  /** Downloads that were interrupted and that nobody goes on with. */
  readonly incomplete?: boolean;
  /** Tells what would be removed. */
  readonly dryRun?: boolean;
}

/** What {@link pruneModelCache} removed. */
export interface PrunedCache {
  readonly freedBytes: number;
  readonly revisions: readonly { readonly id: string; readonly commit: string }[];
}

/** What a kind of cache can say and do. */
export interface CacheKeeper {
  list(): Promise<readonly CachedModel[]>;
  /** Removes commits and what they alone use. @returns the bytes that come free. */
  removeRevisions(id: string, commits: ReadonlySet<string>, dryRun: boolean): Promise<number>;
  /** Removes interrupted downloads. @returns the bytes that come free. */
  removeIncomplete(id: string, dryRun: boolean): Promise<number>;
  /** Removes what is left of a model without revisions. */
  removeEmpty(id: string): Promise<void>;
}

async function openKeeper(operation: string, options: CacheOptions): Promise<CacheKeeper> {
  switch (cacheKindOf(options, operation)) {
    case "disk":
      return diskKeeper(await cacheFolderOf(options));
    case "opfs":
      return browserKeeper(await opfsShelf());
    case "cache-storage":
      return browserKeeper(await cacheStorageShelf());
    default:
      throw new InputError(`${operation}: expected a cache, got "none"; name another`);
  }
}

/**
 * The models that the cache has, by id; those that Python's `huggingface_hub` fetched too.
 * @throws InputError for options that there are not here.
 * @example
 * for (const { id, sizeBytes } of await listModelCache()) console.log(id, sizeBytes);
 */
export async function listModelCache(options: CacheOptions = {}): Promise<readonly CachedModel[]> {
  assertOptions("listModelCache", options, ["cacheFolder", "cache"]);
  return (await openKeeper("listModelCache", options)).list();
}

/**
 * Removes models, commits and interrupted downloads from the cache. Files that another commit uses stay, and so do
 * downloads in progress.
 * @throws InputError when nothing is named, or for options that there are not here.
 * @example
 * const { freedBytes } = await pruneModelCache({ detached: true, incomplete: true });
 */
export async function pruneModelCache(options: PruneOptions): Promise<PrunedCache> {
  assertOptions("pruneModelCache", options, [
    "cacheFolder",
    "cache",
    "models",
    "revisions",
    "detached?",
    "incomplete?",
    "dryRun?",
  ]);
  const { models, revisions, detached = false, incomplete = false, dryRun = false, ...place } = options;
  if (models !== undefined) assertList("pruneModelCache", "models", models);
  if (revisions !== undefined) assertList("pruneModelCache", "revisions", revisions);
  const wrong = revisions?.find((commit) => !isCommit(commit));
  if (wrong !== undefined)
    throw new InputError(
      `pruneModelCache: expected revisions as whole commits of 40 hexadecimal digits, got ${JSON.stringify(wrong)}`,
    );
  if (models === undefined && revisions === undefined && !detached && !incomplete)
    throw new InputError(
      "pruneModelCache: expected models, revisions, detached or incomplete, got none of them; say what to remove",
    );
  const keeper = await openKeeper("pruneModelCache", place);
  const cached = await keeper.list();
  const unknown = models?.find((id) => !cached.some((model) => model.id === id));
  if (unknown !== undefined)
    throw new InputError(
      `pruneModelCache: expected models of the cache, got ${JSON.stringify(unknown)}; listModelCache names them`,
    );
  let freedBytes = 0;
  const removed: { id: string; commit: string }[] = [];
  for (const { id, revisions: all } of cached) {
    const isWhole = models?.includes(id) ?? false;
    const chosen = all.filter(
      ({ commit, refs }) => isWhole || revisions?.includes(commit) || (detached && refs.length === 0),
    );
    if (chosen.length > 0)
      freedBytes += await keeper.removeRevisions(id, new Set(chosen.map(({ commit }) => commit)), dryRun);
    removed.push(...chosen.map(({ commit }) => ({ id, commit })));
    if (incomplete || isWhole) freedBytes += await keeper.removeIncomplete(id, dryRun);
    if (!dryRun && chosen.length === all.length && (chosen.length > 0 || isWhole))
      await keeper.removeEmpty(id);
  }
  return { freedBytes, revisions: removed };
}
