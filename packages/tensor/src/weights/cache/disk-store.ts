import { DownloadError } from "../../errors.js";
import type { ByteSource } from "../byte-source.js";
import { isFileName } from "../file-names.js";
import { fileSource } from "../file-source.js";
import { withLock } from "./disk-lock.js";
import { openPartial } from "./disk-partial.js";
import { parseListing, printListing } from "./listing.js";
import { type HubFile, type KeptFile, type RepositoryStore, repositoryFolder } from "./store.js";

const CACHE_TAG =
  "Signature: 8a477f597d28d172789f06886806bc55\n# This folder holds downloaded models that can be fetched again.\n# See https://bford.info/cachedir/\n";

/** Turns a refusal of the disk into an error of ours; others pass. */
function diskError(where: string, error: unknown): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (typeof code !== "string" || typeof syscall !== "string") return error;
  const fix = code === "ENOSPC" ? "free some space" : "check its rights, or name another cacheFolder";
  return new DownloadError(`${where}: expected a cache that can be written, got ${message}; ${fix}`);
}

/** All files under a folder, as paths with `/`; links count as what they lead to. */
export async function filesUnder(folder: string): Promise<KeptFile[]> {
  const { readdir, stat } = await import(/* webpackIgnore: true */ "node:fs/promises");
  const { join } = await import(/* webpackIgnore: true */ "node:path");
  const files: KeptFile[] = [];
  const visit = async (prefix: string): Promise<void> => {
    const entries = await readdir(join(folder, prefix), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
      if (entry.isDirectory()) await visit(path);
      else {
        const found = await stat(join(folder, path)).catch(() => undefined);
        if (found?.isFile()) files.push({ path, sizeBytes: found.size });
      }
    }
  };
  await visit("");
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Writes a small file so that others see the old or the new one, never half of it. */
async function writeWhole(path: string, text: string): Promise<void> {
  const { mkdir, readFile, rename, rm, writeFile } = await import(
    /* webpackIgnore: true */ "node:fs/promises"
  );
  const { dirname } = await import(/* webpackIgnore: true */ "node:path");
  if ((await readFile(path, "utf8").catch(() => undefined)) === text) return;
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    await writeFile(temporary, text);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/**
 * A repository in a cache folder with the layout of Python's `huggingface_hub`: `blobs/<etag>` holds the bytes,
 * `snapshots/<commit>/<path>` are links to them, `refs/<branch>` names a commit, `trees/<commit>.json` lists all files.
 * @param useLinks Whether to make symbolic links; else, and where the system refuses them, snapshots hold the files.
 */
export async function diskStore(
  cacheFolder: string,
  id: string,
  useLinks: boolean,
): Promise<RepositoryStore> {
  const { copyFile, mkdir, readFile, rename, rm, stat, symlink } = await import(
    /* webpackIgnore: true */ "node:fs/promises"
  );
  const { dirname, join, relative } = await import(/* webpackIgnore: true */ "node:path");
  const folder = join(cacheFolder, repositoryFolder(id));
  const locks = join(cacheFolder, ".locks", repositoryFolder(id));
  const pointerOf = (commit: string, path: string): string =>
    join(folder, "snapshots", commit, ...path.split("/"));
  const sizeOf = async (path: string): Promise<number | undefined> => {
    const found = await stat(path).catch(() => undefined);
    return found?.isFile() ? found.size : undefined;
  };

  /** Puts the name of a file in a snapshot: a link, else the file itself as Python does it. */
  async function point(blob: string, pointer: string, isNew: boolean): Promise<void> {
    await mkdir(dirname(pointer), { recursive: true });
    const temporary = `${pointer}.${crypto.randomUUID().slice(0, 8)}.tmp`;
    try {
      if (useLinks) {
        try {
          await symlink(relative(dirname(pointer), blob), temporary);
          await rename(temporary, pointer);
          return;
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          // Windows without the right to make links, file systems without links
          if (!["EPERM", "EACCES", "ENOSYS", "ENOTSUP", "EINVAL"].includes(code ?? "")) throw error;
        }
      }
      if (isNew) await rename(blob, pointer);
      else {
        await copyFile(blob, temporary);
        await rename(temporary, pointer);
      }
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async function find(commit: string, path: string, expected?: HubFile): Promise<ByteSource | undefined> {
    const pointer = pointerOf(commit, path);
    const size = await sizeOf(pointer);
    if (size === undefined || (expected !== undefined && size !== expected.size)) return undefined;
    return fileSource(pointer);
  }

  return {
    async commitOf(revision) {
      const text = await readFile(join(folder, "refs", ...revision.split("/")), "utf8").catch(() => "");
      return /^[0-9a-f]{40}$/.test(text.trim()) ? text.trim() : undefined;
    },
    async setCommit(revision, commit) {
      try {
        // Python calls a cache broken whose refs lead to no snapshot
        await mkdir(join(folder, "snapshots", commit), { recursive: true });
        await writeWhole(join(folder, "refs", ...revision.split("/")), commit);
      } catch {
        // a cache that cannot be written still serves what it has; a download will say what is wrong
      }
    },
    async listing(commit) {
      const text = await readFile(join(folder, "trees", `${commit}.json`), "utf8").catch(() => undefined);
      return text === undefined ? undefined : parseListing(text);
    },
    async setListing(commit, files) {
      await writeWhole(join(folder, "trees", `${commit}.json`), printListing(files)).catch(() => undefined);
    },
    kept: async (commit) =>
      (await filesUnder(join(folder, "snapshots", commit))).filter(({ path }) => isFileName(path)),
    find,
    async keep(commit, file, fill, signal) {
      const blobs = join(folder, "blobs");
      const blob = join(blobs, file.checksum.hex);
      const pointer = pointerOf(commit, file.path);
      try {
        await mkdir(cacheFolder, { recursive: true });
        await stat(join(cacheFolder, "CACHEDIR.TAG")).catch(() =>
          writeWhole(join(cacheFolder, "CACHEDIR.TAG"), CACHE_TAG),
        );
        // a name of its own: the Python library locks <etag>.lock by a system call that Node has not
        await withLock(
          join(locks, `${file.checksum.hex}.node.lock`),
          async () => {
            if ((await sizeOf(pointer)) === file.size) return;
            const isNew = (await sizeOf(blob)) !== file.size;
            if (isNew) {
              const partial = await openPartial(blobs, file.checksum.hex);
              try {
                await fill(partial);
                await partial.sync();
              } catch (error) {
                await partial.release();
                throw error;
              }
              await partial.close();
              await rename(partial.path, blob);
            }
            await point(blob, pointer, isNew);
          },
          signal,
        );
      } catch (error) {
        throw diskError(folder, error);
      }
      const kept = await find(commit, file.path, file);
      if (kept === undefined)
        throw new DownloadError(
          `${pointer}: expected the file that was just kept, got none; is the cache being pruned?`,
        );
      return kept;
    },
  };
}
