import { InputError } from "@ai/tensor";

/** Where training writes; paths use `/`. */
export interface TrainingStorage {
  /** Names directly inside a folder; none when there is no such folder. */
  list(folder: string): Promise<string[]>;
  /** @throws when there is no such file. */
  read(path: string): Promise<Uint8Array>;
  /** Writes a file as a whole: whoever reads it, now or after a crash, sees the old or the new contents. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Writes a folder of files as a whole, replacing it when it is there. */
  writeFolder(folder: string, files: ReadonlyMap<string, Uint8Array>): Promise<void>;
  /** Adds to the end of a file, which may be new. */
  append(path: string, bytes: Uint8Array): Promise<void>;
  /** Removes a file or a folder with all in it; nothing when it is not there. */
  remove(path: string): Promise<void>;
}

/**
 * A file's contents; undefined when there is no such file.
 * @throws what reading throws for a file that is there: it may be readable the next time, and is not to be written over.
 * @internal
 */
export async function readIfPresent(storage: TrainingStorage, path: string): Promise<Uint8Array | undefined> {
  try {
    return await storage.read(path);
  } catch (error) {
    const slash = path.lastIndexOf("/");
    const names = await storage.list(slash < 0 ? "." : path.slice(0, slash) || "/");
    if (names.includes(path.slice(slash + 1))) throw error;
    return undefined;
  }
}

/** Codes of a rename whose source is gone or whose target is there: another process was faster; EPERM is Windows's word. */
const PUT_BACK_BY_ANOTHER: readonly string[] = ["ENOENT", "ENOTEMPTY", "EEXIST", "EPERM"];

/** Prefix of what is being written and of what is about to be removed; never part of a result. */
const TEMPORARY = ".tmp-";
/** Behind the prefix and its numbers: what a new version is about to replace. */
const REPLACED = /^\.tmp-(\d+)-\d+\.old-(.+)$/;
/** A writer puts the new version in the place of the moved one at once; what lies longer was left. */
const MOVE_MILLISECONDS = 500;
/** How often a writer moves what is in its place away: each time another process was faster. */
const MOST_MOVES = 10;
/** Drafts that nobody touched for so long were left, whoever has their process's number by now. */
const DRAFT_MILLISECONDS = 24 * 3600 * 1000;
/** Numbers of drafts begin anywhere: threads share a process number, containers have the same ones. */
let serial = Math.floor(Math.random() * 2 ** 40);

/**
 * The file system of Node. Contents are flushed to the disk before a rename puts them in place, so that a killed
 * process or machine leaves nothing half-written under a real name.
 * @throws InputError outside of Node.
 */
export async function nodeStorage(): Promise<TrainingStorage> {
  if (typeof process === "undefined" || process.versions?.node === undefined)
    throw new InputError(
      "storage: expected Node for writing files, got another environment; pass { storage }",
    );
  const { mkdir, open, readdir, readFile, rename, rm, stat } = await import(
    /* webpackIgnore: true */ "node:fs/promises"
  );
  const { basename, dirname, join } = await import(/* webpackIgnore: true */ "node:path");
  const temporary = (path: string, mark = ""): string =>
    join(dirname(path), `${TEMPORARY}${process.pid}-${serial++}${mark}-${basename(path)}`);

  /** Runs `work`; what it leaves of a draft when it fails is removed: it may be what filled the disk. */
  const removing = async (draft: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      await rm(draft, { recursive: true, force: true }).catch(() => undefined); // the first error is the one to report
      throw error;
    }
  };

  /** Milliseconds since something was touched last, or moved; 0 when it is gone. */
  const age = async (path: string, time: "mtimeMs" | "ctimeMs"): Promise<number> =>
    stat(path).then(
      (found) => Date.now() - found[time],
      () => 0,
    );

  /**
   * Puts back what a process had moved away for a version that never came: it was killed. Its number may live again, in a
   * container as a rule, so what lies there for a while counts as left too.
   * @returns whether a writer may still be at work.
   */
  const putBack = async (folder: string, names: readonly string[], waited: number): Promise<boolean> => {
    let isMoving = false;
    for (const name of names) {
      const [, owner, original] = REPLACED.exec(name) ?? [];
      if (original === undefined || names.includes(original)) continue;
      const path = join(folder, name);
      const since = Math.max(waited, await age(path, "ctimeMs"));
      if (isAlive(Number(owner)) && since < MOVE_MILLISECONDS) isMoving = true;
      else
        await rename(path, join(folder, original)).catch((error: NodeJS.ErrnoException) => {
          if (!PUT_BACK_BY_ANOTHER.includes(error.code ?? "")) throw error;
        });
    }
    return isMoving;
  };

  const namesIn = async (folder: string): Promise<string[]> => {
    const began = Date.now();
    for (;;) {
      const names = await readdir(folder);
      if (!names.some((name) => REPLACED.test(name))) return names;
      if (!(await putBack(folder, names, Date.now() - began))) return readdir(folder);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };

  /** Whether a name is what a killed process left half-written. */
  const isLeftover = async (parent: string, name: string): Promise<boolean> => {
    if (!name.startsWith(TEMPORARY)) return false;
    const owner = Number(name.slice(TEMPORARY.length).split("-")[0]);
    return !isAlive(owner) || (await age(join(parent, name), "mtimeMs")) > DRAFT_MILLISECONDS;
  };

  const writeFlushed = async (path: string, bytes: Uint8Array): Promise<void> => {
    const file = await open(path, "w");
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  };

  /** Makes renames durable; Windows has no such call and refuses to open folders. */
  const flushFolder = async (folder: string): Promise<void> => {
    if (process.platform === "win32") return;
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  };

  return {
    async list(folder) {
      try {
        return (await namesIn(folder)).filter((name) => !name.startsWith(TEMPORARY)).sort();
      } catch (error) {
        if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
        throw error;
      }
    },
    read: (path) => readFile(path),
    async write(path, bytes) {
      await mkdir(dirname(path), { recursive: true });
      const draft = temporary(path);
      await removing(draft, async () => {
        await writeFlushed(draft, bytes);
        await rename(draft, path);
      });
      await flushFolder(dirname(path));
    },
    async writeFolder(folder, files) {
      const parent = dirname(folder);
      await mkdir(parent, { recursive: true });
      for (const name of await namesIn(parent))
        if (await isLeftover(parent, name)) await rm(join(parent, name), { recursive: true, force: true });
      const draft = temporary(folder);
      const replaced: string[] = [];
      await removing(draft, async () => {
        await mkdir(draft);
        for (const [name, bytes] of files) await writeFlushed(join(draft, name), bytes);
        await flushFolder(draft);
        for (let move = 1; ; move++) {
          const old = temporary(folder, ".old");
          await rename(folder, old).then(
            () => replaced.push(old),
            (error: NodeJS.ErrnoException) => {
              if (error.code !== "ENOENT") throw error;
            },
          );
          try {
            return await rename(draft, folder);
          } catch (error) {
            // another writer was faster, or a reader took this one for killed and put the old version back
            if (
              move < MOST_MOVES &&
              PUT_BACK_BY_ANOTHER.includes((error as NodeJS.ErrnoException).code ?? "")
            )
              continue;
            const last = replaced.at(-1);
            if (last !== undefined) await rename(last, folder).catch(() => undefined); // the first error is the one to report
            throw error;
          }
        }
      });
      await flushFolder(parent);
      for (const old of replaced) await rm(old, { recursive: true, force: true });
    },
    async append(path, bytes) {
      await mkdir(dirname(path), { recursive: true });
      const file = await open(path, "a");
      try {
        await file.writeFile(bytes);
      } finally {
        await file.close();
      }
    },
    async remove(path) {
      // out of sight first: a kill while removing must not leave a folder that looks whole
      const hidden = temporary(path);
      try {
        await rename(path, hidden);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
        throw error;
      }
      await rm(hidden, { recursive: true, force: true });
    },
  };
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Files in memory: for pages, and for runs that need not outlive the program. */
export function memoryStorage(): TrainingStorage {
  const files = new Map<string, Uint8Array>();
  const inside = (folder: string): string => (folder.endsWith("/") ? folder : `${folder}/`);
  const remove = (path: string): void => {
    files.delete(path);
    for (const name of [...files.keys()]) if (name.startsWith(inside(path))) files.delete(name);
  };
  return {
    async list(folder) {
      const prefix = inside(folder);
      const names = [...files.keys()].filter((path) => path.startsWith(prefix));
      return [...new Set(names.map((path) => path.slice(prefix.length).split("/")[0]))].sort();
    },
    async read(path) {
      const bytes = files.get(path);
      if (bytes === undefined) throw new InputError(`storage: expected a file at ${path}, got none`);
      return bytes;
    },
    async write(path, bytes) {
      files.set(path, bytes.slice());
    },
    async writeFolder(folder, contents) {
      remove(folder);
      for (const [name, bytes] of contents) files.set(`${inside(folder)}${name}`, bytes.slice());
    },
    async append(path, bytes) {
      const old = files.get(path) ?? new Uint8Array(0);
      const joined = new Uint8Array(old.length + bytes.length);
      joined.set(old);
      joined.set(bytes, old.length);
      files.set(path, joined);
    },
    async remove(path) {
      remove(path);
    },
  };
}
