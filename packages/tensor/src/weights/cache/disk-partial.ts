import type { PartialFile } from "../http/download.js";
import { isAlive } from "./disk-lock.js";

/** A partial file of another machine, of which nothing else is known, is taken over after this time without growth. */
const ABANDONED_MILLISECONDS = 60 * 60_000;
/** Another process may have got the number of a dead one. */
const SURELY_ABANDONED_MILLISECONDS = 24 * 60 * 60_000;
/** In the name of a file that its process gave up. */
const NOBODY = 0;
const PIECE_BYTES = 2 ** 20;

/** A partial file on the disk that this process alone writes. */
export interface DiskPartial extends PartialFile {
  readonly path: string;
  /** Makes sure that all is on the disk. */
  sync(): Promise<void>;
  /** Leaves it for whoever comes next; an empty one is removed. */
  release(): Promise<void>;
  close(): Promise<void>;
}

/** Who writes `<etag>.<host>-<pid>-<random>.incomplete`. */
function parseWriter(name: string, prefix: string): { host: string; pid: number } | undefined {
  if (!name.startsWith(`${prefix}.`)) return undefined;
  const found = /^(.+)-(\d+)-[0-9a-f]{8}\.incomplete$/.exec(name.slice(prefix.length + 1));
  return found === null ? undefined : { host: found[1], pid: Number(found[2]) };
}

async function hostLabel(): Promise<string> {
  const { hostname } = await import(/* webpackIgnore: true */ "node:os");
  return (
    hostname()
      .replace(/[^\w.-]/g, "_")
      .slice(0, 64) || "host"
  );
}

/** Whether nobody writes an `.incomplete` file any more, so that it can be taken over or removed. */
export async function isAbandoned(folder: string, name: string): Promise<boolean> {
  const { stat } = await import(/* webpackIgnore: true */ "node:fs/promises");
  const { join } = await import(/* webpackIgnore: true */ "node:path");
  const writer = parseWriter(name, name.split(".", 1)[0]);
  const isOurs = writer !== undefined && writer.host === (await hostLabel());
  if (writer?.pid === NOBODY || (isOurs && !isAlive(writer.pid))) return true;
  const found = await stat(join(folder, name)).catch(() => undefined);
  const age = found === undefined ? 0 : Date.now() - found.mtimeMs;
  return age > (isOurs ? SURELY_ABANDONED_MILLISECONDS : ABANDONED_MILLISECONDS);
}

/**
 * Opens the partial file of a blob: the longest that an interrupted process left, else a new one. Each process writes
 * a file of its own name; taking one over renames it, which only one can do. So no lock is needed for correctness.
 */
export async function openPartial(folder: string, etag: string): Promise<DiskPartial> {
  const { mkdir, open, readdir, rename, rm, stat } = await import(
    /* webpackIgnore: true */ "node:fs/promises"
  );
  const { join } = await import(/* webpackIgnore: true */ "node:path");
  await mkdir(folder, { recursive: true });
  const host = await hostLabel();
  const random = crypto.randomUUID().slice(0, 8);
  const pathFor = (pid: number): string => join(folder, `${etag}.${host}-${pid}-${random}.incomplete`);
  const path = pathFor(globalThis.process.pid);
  const left: { name: string; size: number }[] = [];
  for (const name of await readdir(folder))
    if (parseWriter(name, etag) !== undefined && (await isAbandoned(folder, name))) {
      const size = (await stat(join(folder, name)).catch(() => undefined))?.size;
      if (size !== undefined) left.push({ name, size });
    }
  left.sort((a, b) => b.size - a.size);
  for (const { name } of left) {
    const isTaken = await rename(join(folder, name), path).then(
      () => true,
      () => false,
    );
    if (isTaken) break;
  }
  const file = await open(path, "a+");
  let { size: length } = await file.stat();
  return {
    path,
    get length() {
      return length;
    },
    async *bytes() {
      const piece = new Uint8Array(PIECE_BYTES);
      for (let position = 0; position < length; ) {
        const { bytesRead } = await file.read(
          piece,
          0,
          Math.min(piece.byteLength, length - position),
          position,
        );
        if (bytesRead === 0) break;
        yield piece.subarray(0, bytesRead);
        position += bytesRead;
      }
    },
    async append(chunk) {
      await file.appendFile(chunk);
      length += chunk.byteLength;
    },
    async reset() {
      await file.truncate(0);
      length = 0;
    },
    sync: () => file.sync(),
    async release() {
      await file.close();
      if (length === 0) await rm(path, { force: true });
      else await rename(path, pathFor(NOBODY)).catch(() => undefined);
    },
    close: () => file.close(),
  };
}
