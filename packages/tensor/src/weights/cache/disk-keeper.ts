import { isFileName } from "../file-names.js";
import { isCommit, isRepositoryId } from "../hub/repository.js";
import { withLock } from "./disk-lock.js";
import { isAbandoned } from "./disk-partial.js";
import { filesUnder } from "./disk-store.js";
import type { CachedModel, CachedRevision, CacheKeeper } from "./manage.js";
import { repositoryFolder } from "./store.js";

const PREFIX = "models--";

/** Lists and prunes a cache folder in the layout of the Python library. */
export async function diskKeeper(cacheFolder: string): Promise<CacheKeeper> {
  const { lstat, readdir, readFile, readlink, rm, rmdir, stat } = await import(
    /* webpackIgnore: true */ "node:fs/promises"
  );
  const { basename, dirname, join, resolve } = await import(/* webpackIgnore: true */ "node:path");
  const folderOf = (id: string): string => join(cacheFolder, repositoryFolder(id));
  const names = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);

  /** Branches and tags by the commit that they mean. */
  async function refsOf(id: string): Promise<Map<string, string[]>> {
    const folder = join(folderOf(id), "refs");
    const refs = new Map<string, string[]>();
    for (const { path } of await filesUnder(folder)) {
      const commit = (await readFile(join(folder, path), "utf8").catch(() => "")).trim();
      refs.set(commit, [...(refs.get(commit) ?? []), path]);
    }
    return refs;
  }

  async function commitsOf(id: string): Promise<string[]> {
    return (await names(join(folderOf(id), "snapshots"))).filter(isCommit).sort();
  }

  /** The blob that a file of a snapshot is a link to; `undefined` for one that holds its bytes itself. */
  async function blobOf(id: string, pointer: string): Promise<string | undefined> {
    const target = await readlink(pointer).catch(() => undefined);
    if (target === undefined) return undefined;
    const path = resolve(dirname(pointer), target);
    // a link that leads elsewhere is nothing of ours
    return dirname(path) === resolve(folderOf(id), "blobs") ? path : undefined;
  }

  async function sizeAt(path: string): Promise<number> {
    return (await stat(path).catch(() => undefined))?.size ?? 0;
  }

  async function incompleteOf(id: string): Promise<string[]> {
    return (await names(join(folderOf(id), "blobs"))).filter((name) => name.endsWith(".incomplete"));
  }

  async function describe(id: string): Promise<CachedModel> {
    const blobs = join(folderOf(id), "blobs");
    const refs = await refsOf(id);
    const revisions: CachedRevision[] = [];
    let sizeBytes = 0;
    let incompleteBytes = 0;
    for (const commit of await commitsOf(id)) {
      const folder = join(folderOf(id), "snapshots", commit);
      const files = (await filesUnder(folder)).filter(({ path }) => isFileName(path));
      for (const { path, sizeBytes: size } of files)
        if ((await lstat(join(folder, path)).catch(() => undefined))?.isFile()) sizeBytes += size;
      const size = files.reduce((sum, file) => sum + file.sizeBytes, 0);
      revisions.push({ commit, refs: refs.get(commit) ?? [], files, sizeBytes: size });
    }
    for (const name of await names(blobs)) {
      const size = await sizeAt(join(blobs, name));
      sizeBytes += size;
      if (name.endsWith(".incomplete")) incompleteBytes += size;
    }
    return { id, revisions, sizeBytes, incompleteBytes };
  }

  return {
    async list() {
      const ids = (await names(cacheFolder))
        .filter((name) => name.startsWith(PREFIX))
        .map((name) => name.slice(PREFIX.length).replace("--", "/"))
        .filter((id) => isRepositoryId(id));
      return Promise.all(ids.sort().map(describe));
    },
    async removeRevisions(id, commits, dryRun) {
      const folder = folderOf(id);
      const blobsOf = async (commit: string): Promise<{ blobs: string[]; ownBytes: number }> => {
        const snapshot = join(folder, "snapshots", commit);
        const blobs: string[] = [];
        let ownBytes = 0;
        for (const { path, sizeBytes } of await filesUnder(snapshot)) {
          const blob = await blobOf(id, join(snapshot, path));
          if (blob !== undefined) blobs.push(blob);
          else if ((await lstat(join(snapshot, path)).catch(() => undefined))?.isFile())
            ownBytes += sizeBytes;
        }
        return { blobs, ownBytes };
      };
      const usedBy = async (isWanted: (commit: string) => boolean): Promise<Set<string>> => {
        const used = new Set<string>();
        for (const commit of await commitsOf(id))
          if (isWanted(commit)) for (const blob of (await blobsOf(commit)).blobs) used.add(blob);
        return used;
      };
      const candidates = await usedBy((commit) => commits.has(commit));
      let freed = 0;
      const refs = await refsOf(id);
      for (const commit of commits) {
        freed += (await blobsOf(commit)).ownBytes;
        if (dryRun) continue;
        // the names first: a ref to a commit that is gone would look like damage
        for (const ref of refs.get(commit) ?? []) await rm(join(folder, "refs", ref), { force: true });
        await rm(join(folder, "snapshots", commit), { recursive: true, force: true });
        await rm(join(folder, "trees", `${commit}.json`), { force: true });
      }
      for (const blob of candidates) {
        const remove = async (): Promise<void> => {
          // looked up anew: another process may have linked to it meanwhile
          if ((await usedBy((commit) => !commits.has(commit))).has(blob)) return;
          freed += await sizeAt(blob);
          if (!dryRun) await rm(blob, { force: true });
        };
        const lock = join(cacheFolder, ".locks", repositoryFolder(id), `${basename(blob)}.node.lock`);
        await (dryRun ? remove() : withLock(lock, remove, undefined));
      }
      return freed;
    },
    async removeIncomplete(id, dryRun) {
      const blobs = join(folderOf(id), "blobs");
      let freed = 0;
      for (const name of await incompleteOf(id)) {
        if (!(await isAbandoned(blobs, name))) continue;
        freed += await sizeAt(join(blobs, name));
        if (!dryRun) await rm(join(blobs, name), { force: true });
      }
      return freed;
    },
    async removeEmpty(id) {
      const folder = folderOf(id);
      // a download in progress, or a commit that just came
      if ((await incompleteOf(id)).length > 0 || (await commitsOf(id)).length > 0) return;
      await rm(join(cacheFolder, ".locks", repositoryFolder(id)), { recursive: true, force: true });
      for (const part of ["refs", "trees", ".no_exist", "blobs", "snapshots"])
        await rm(join(folder, part), { recursive: true, force: true });
      // what somebody else put there stays
      await rmdir(folder).catch(() => undefined);
    },
  };
}
