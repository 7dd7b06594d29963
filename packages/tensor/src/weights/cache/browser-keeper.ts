import { isFileName } from "../file-names.js";
import { isRepositoryId } from "../hub/repository.js";
import { fromKeySegment, parsePointer, textAt, withTabLock } from "./browser-store.js";
import type { CachedModel, CacheKeeper } from "./manage.js";
import type { Shelf } from "./shelf.js";
import { repositoryFolder } from "./store.js";

const PREFIX = "models--";

interface Snapshot {
  readonly key: string;
  readonly commit: string;
  readonly path: string;
  readonly size: number;
  readonly hex: string;
}

/** Lists and prunes what a browser's storage holds. */
export function browserKeeper(shelf: Shelf): CacheKeeper {
  const sizeAt = async (key: string): Promise<number> => (await shelf.get(key))?.size ?? 0;

  /** All files of all snapshots of a model. */
  async function snapshotsOf(id: string): Promise<Snapshot[]> {
    const start = `${repositoryFolder(id)}/snapshots/`;
    const found: Snapshot[] = [];
    for (const key of await shelf.keys(start)) {
      const [commit, segment] = key.slice(start.length).split("/");
      const pointer = parsePointer(await textAt(shelf, key));
      const path = fromKeySegment(segment);
      if (pointer !== undefined && isFileName(path)) found.push({ key, commit, path, ...pointer });
    }
    return found;
  }

  /** Refs by key, with the commit that each means. */
  async function refsOf(id: string): Promise<{ key: string; name: string; commit: string | undefined }[]> {
    const start = `${repositoryFolder(id)}/refs/`;
    return Promise.all(
      (await shelf.keys(start)).map(async (key) => ({
        key,
        name: fromKeySegment(key.slice(start.length)),
        commit: await textAt(shelf, key),
      })),
    );
  }

  /** Keys of the pieces by the checksum of their file. */
  async function piecesOf(id: string): Promise<Map<string, string[]>> {
    const start = `${repositoryFolder(id)}/blobs/`;
    const pieces = new Map<string, string[]>();
    for (const key of await shelf.keys(start)) {
      const [hex] = key.slice(start.length).split("/");
      pieces.set(hex, [...(pieces.get(hex) ?? []), key]);
    }
    return pieces;
  }

  async function describe(id: string): Promise<CachedModel> {
    const files = await snapshotsOf(id);
    const refs = await refsOf(id);
    const whole = new Set(files.map(({ hex }) => hex));
    const commits = [...new Set(files.map(({ commit }) => commit))].sort();
    let sizeBytes = 0;
    let incompleteBytes = 0;
    for (const [hex, keys] of await piecesOf(id))
      for (const key of keys) {
        const size = await sizeAt(key);
        sizeBytes += size;
        if (!whole.has(hex)) incompleteBytes += size;
      }
    const revisions = commits.map((commit) => {
      const own = files.filter((file) => file.commit === commit);
      return {
        commit,
        refs: refs.filter((ref) => ref.commit === commit).map(({ name }) => name),
        files: own.map(({ path, size }) => ({ path, sizeBytes: size })),
        sizeBytes: own.reduce((sum, { size }) => sum + size, 0),
      };
    });
    return { id, revisions, sizeBytes, incompleteBytes };
  }

  /** Removes a file's pieces while no tab downloads it. @returns their bytes. */
  async function removePieces(
    id: string,
    hex: string,
    keys: readonly string[],
    dryRun: boolean,
  ): Promise<number> {
    return withTabLock(
      `ai-models/${repositoryFolder(id)}/${hex}`,
      async () => {
        let freed = 0;
        // looked up anew: another tab may have used it meanwhile
        if (!dryRun && (await snapshotsOf(id)).some((file) => file.hex === hex)) return 0;
        for (const key of keys) {
          freed += await sizeAt(key);
          if (!dryRun) await shelf.remove(key);
        }
        return freed;
      },
      undefined,
    );
  }

  return {
    async list() {
      const ids = new Set<string>();
      for (const key of await shelf.keys("")) {
        const [folder] = key.split("/");
        const id = folder.slice(PREFIX.length).replace("--", "/");
        if (folder.startsWith(PREFIX) && isRepositoryId(id)) ids.add(id);
      }
      return Promise.all([...ids].sort().map(describe));
    },
    async removeRevisions(id, commits, dryRun) {
      const files = await snapshotsOf(id);
      const others = new Set(files.filter(({ commit }) => !commits.has(commit)).map(({ hex }) => hex));
      if (!dryRun) {
        for (const { key, commit } of await refsOf(id))
          if (commit !== undefined && commits.has(commit)) await shelf.remove(key);
        for (const { key, commit } of files) if (commits.has(commit)) await shelf.remove(key);
        for (const commit of commits) await shelf.remove(`${repositoryFolder(id)}/trees/${commit}.json`);
      }
      const gone = new Set(files.filter(({ commit }) => commits.has(commit)).map(({ hex }) => hex));
      let freed = 0;
      for (const [hex, keys] of await piecesOf(id))
        if (gone.has(hex) && !others.has(hex)) freed += await removePieces(id, hex, keys, dryRun);
      return freed;
    },
    async removeIncomplete(id, dryRun) {
      const whole = new Set((await snapshotsOf(id)).map(({ hex }) => hex));
      const held = new Set((await navigator.locks?.query())?.held?.map(({ name }) => name));
      let freed = 0;
      // a held lock is a download in progress
      for (const [hex, keys] of await piecesOf(id))
        if (!whole.has(hex) && !held.has(`ai-models/${repositoryFolder(id)}/${hex}`))
          freed += await removePieces(id, hex, keys, dryRun);
      return freed;
    },
    async removeEmpty(id) {
      if ((await snapshotsOf(id)).length > 0 || (await piecesOf(id)).size > 0) return;
      for (const key of await shelf.keys(`${repositoryFolder(id)}/`)) await shelf.remove(key);
    },
  };
}
