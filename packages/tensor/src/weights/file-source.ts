import { InputError, WeightsError } from "../errors.js";
import { assertComplete, type ByteSource } from "./byte-source.js";
import { isFileName } from "./file-names.js";

/** A file of this machine, opened for each read; it must stay the file that it was. */
export async function fileSource(path: string): Promise<ByteSource> {
  const { open, stat } = await import(/* webpackIgnore: true */ "node:fs/promises");
  const { dirname, join } = await import(/* webpackIgnore: true */ "node:path");
  const stamp = async (): Promise<{ size: number; mark: string }> => {
    try {
      const { size, mtimeMs, ino } = await stat(path);
      return { size, mark: `${size} ${mtimeMs} ${ino}` };
    } catch (error) {
      throw new WeightsError(`${path}: expected a file that can be read, got ${(error as Error).message}`);
    }
  };
  const { size, mark } = await stamp();
  return {
    name: path,
    size,
    async read(start, end, signal) {
      signal?.throwIfAborted();
      const file = await open(path, "r");
      try {
        if ((await stamp()).mark !== mark)
          throw new WeightsError(
            `${path}: expected the file that was opened, got one changed meanwhile; read it again`,
          );
        const bytes = new Uint8Array(end - start);
        let filled = 0;
        while (filled < bytes.byteLength) {
          // in pieces, so that an abort does not wait for gigabytes
          const length = Math.min(bytes.byteLength - filled, 2 ** 26);
          const { bytesRead } = await file.read(bytes, filled, length, start + filled);
          if (bytesRead === 0) break;
          filled += bytesRead;
          signal?.throwIfAborted();
        }
        return assertComplete(path, bytes.subarray(0, filled), end - start);
      } finally {
        await file.close();
      }
    },
    async sibling(file, signal) {
      signal?.throwIfAborted();
      assertSibling(path, file);
      return fileSource(join(dirname(path), ...file.split("/")));
    },
  };
}

/** @throws InputError for a name that leads out of the folder. */
export function assertSibling(source: string, file: string): void {
  if (!isFileName(file))
    throw new InputError(
      `${source}: expected the name of a file beside it, got ${JSON.stringify(file)}; it leads out of the folder`,
    );
}
