import { DownloadError } from "../../errors.js";

const POLL_MILLISECONDS = 100;
const HEARTBEAT_MILLISECONDS = 5_000;
/** Without a heartbeat for so long, whoever holds a lock is gone. */
const STALE_MILLISECONDS = 30_000;

/** Whether a process of this machine lives; one that belongs to somebody else counts. */
export function isAlive(pid: number): boolean {
  try {
    globalThis.process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * Runs `task` while this process alone holds the lock file, so that one download serves all who want the file.
 * A lock of a dead process is broken. The Python library's own lock cannot be taken from Node: nothing but a second
 * download depends on this one, files appear whole by renaming in any case.
 * @throws what `task` throws, the signal's reason while it waits.
 */
export async function withLock<Result>(
  path: string,
  task: () => Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  const { mkdir, open, readFile, rm, utimes } = await import(/* webpackIgnore: true */ "node:fs/promises");
  const { hostname } = await import(/* webpackIgnore: true */ "node:os");
  const { dirname } = await import(/* webpackIgnore: true */ "node:path");
  const mine = JSON.stringify({ host: hostname(), pid: globalThis.process.pid, id: crypto.randomUUID() });
  await mkdir(dirname(path), { recursive: true });
  let seen = { content: "", mark: "", since: 0 };
  for (;;) {
    signal?.throwIfAborted();
    try {
      const file = await open(path, "wx");
      try {
        await file.writeFile(mine);
      } finally {
        await file.close();
      }
      break;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") await mkdir(dirname(path), { recursive: true });
      // Windows says EPERM or EBUSY while another process deletes the file
      else if (code !== "EEXIST" && code !== "EPERM" && code !== "EBUSY") throw error;
      else if (code !== "EEXIST" && seen.since !== 0 && Date.now() - seen.since > STALE_MILLISECONDS)
        throw new DownloadError(`${path}: expected a folder for locks that can be written, got ${code}`);
    }
    const content = await readFile(path, "utf8").catch(() => "");
    const mark = await markOf(path);
    if (content !== seen.content || mark !== seen.mark) seen = { content, mark, since: Date.now() };
    const owner = parseOwner(content);
    const isGone =
      Date.now() - seen.since > STALE_MILLISECONDS ||
      (owner !== undefined && owner.host === hostname() && !isAlive(owner.pid));
    if (isGone) await breakLock(path, content);
    else await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, HEARTBEAT_MILLISECONDS);
  heartbeat.unref();
  try {
    return await task();
  } finally {
    clearInterval(heartbeat);
    if ((await readFile(path, "utf8").catch(() => "")) === mine) await rm(path, { force: true });
  }
}

async function markOf(path: string): Promise<string> {
  const { stat } = await import(/* webpackIgnore: true */ "node:fs/promises");
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? "" : `${found.ino} ${found.mtimeMs}`;
}

function parseOwner(content: string): { host: string; pid: number } | undefined {
  try {
    const { host, pid } = JSON.parse(content) as Record<string, unknown>;
    return typeof host === "string" && Number.isSafeInteger(pid) ? { host, pid: pid as number } : undefined;
  } catch {
    return undefined;
  }
}

/** Removes a dead lock, and only that: another waiter may have broken it and taken it already. */
async function breakLock(path: string, content: string): Promise<void> {
  const { link, readFile, rename, rm } = await import(/* webpackIgnore: true */ "node:fs/promises");
  const aside = `${path}.${crypto.randomUUID()}`;
  try {
    await rename(path, aside);
    if ((await readFile(aside, "utf8")) !== content) await link(aside, path).catch(() => undefined);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  await rm(aside, { force: true });
}
