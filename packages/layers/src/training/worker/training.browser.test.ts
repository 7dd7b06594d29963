import { describe, expect, it } from "vitest";
import { describeWorkerTraining } from "../../testing/worker-training-cases.js";
import { browserStorage, checkpoints, listCheckpoints } from "../index.js";

/** Nothing can be loaded from it any more. */
const gone = URL.createObjectURL(new Blob([""], { type: "text/javascript" }));
URL.revokeObjectURL(gone);

const run = `runs/${Math.random().toString(36).slice(2)}`;

describeWorkerTraining({
  tiny: () =>
    new Worker(new URL("../../testing/serve-training.worker.ts", import.meta.url), { type: "module" }),
  broken: () => new Worker(gone, { type: "module" }),
  device: "wasm",
  folder: (name) => `${run}/${name}`,
});

it("leaves checkpoints of the worker where the page finds them", async () => {
  const storage = await browserStorage();
  const found = await listCheckpoints(`${run}/stopped`, { storage });
  expect(found.length).toBeGreaterThan(0);
  expect(checkpoints({ folder: run }).name).toBe("checkpoints");
  await storage.remove(run);
  expect(await storage.list(run)).toEqual([]);
});

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

describe.each(["opfs", "indexed-db"] as const)("browserStorage in %s", (kind) => {
  it("writes, appends, lists, replaces and removes, and outlives its maker", async () => {
    const folder = `${run}-${kind}`;
    const storage = await browserStorage({ kind });
    expect(await storage.list(`${folder}/none`)).toEqual([]);
    await storage.write(`${folder}/a/b.txt`, bytes("one"));
    await storage.write(`${folder}/a/b.txt`, bytes("two"));
    await storage.append(`${folder}/a/c.txt`, bytes("x"));
    await storage.append(`${folder}/a/c.txt`, bytes("y"));
    expect(text(await storage.read(`${folder}/a/b.txt`))).toBe("two");
    expect(text(await storage.read(`${folder}/a/c.txt`))).toBe("xy");
    expect(await storage.list(`${folder}/a`)).toEqual(["b.txt", "c.txt"]);
    const two = new Map([
      ["m", bytes("1")],
      ["n", bytes("2")],
    ]);
    await Promise.all([
      storage.writeFolder(`${folder}/d/step`, two),
      storage.writeFolder(`${folder}/d/other`, two),
    ]);
    await storage.writeFolder(`${folder}/d/step`, new Map([["m", bytes("3")]]));
    const again = await browserStorage({ kind });
    expect(await again.list(`${folder}/d`)).toEqual(["other", "step"]);
    expect(await again.list(`${folder}/d/step`)).toEqual(["m"]);
    expect(text(await again.read(`${folder}/d/step/m`))).toBe("3");
    await again.remove(`${folder}/d/step`);
    await again.remove(`${folder}/d/step`);
    expect(await again.list(`${folder}/d`)).toEqual(["other"]);
    await expect(again.read(`${folder}/none`)).rejects.toThrow(/expected a file at .*none, got none/);
    await expect(again.write("../up", bytes(""))).rejects.toThrow(/a path of names/);
    await again.remove(folder);
    expect(await again.list(folder)).toEqual([]);
  });
});

describe("browserStorage", () => {
  it("never shows what was cut: a version without its mark", async () => {
    const storage = await browserStorage({ kind: "opfs" });
    const folder = `cut-${run.slice(5)}`;
    await storage.writeFolder(`${folder}/step`, new Map([["m", bytes("whole")]]));
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("ai-training");
    const parent = await root.getDirectoryHandle(folder);
    await (await parent.getDirectoryHandle("step~v2", { create: true })).getFileHandle("m~v1", {
      create: true,
    });
    await (await parent.getDirectoryHandle("begun~v1", { create: true })).getFileHandle("m~v1", {
      create: true,
    });
    expect(await storage.list(folder)).toEqual(["step"]);
    expect(text(await storage.read(`${folder}/step/m`))).toBe("whole");
    await storage.writeFolder(`${folder}/step`, new Map([["m", bytes("new")]]));
    expect(text(await storage.read(`${folder}/step/m`))).toBe("new");
    await expect(parent.getDirectoryHandle("step~v2")).rejects.toThrow();
    await storage.remove(folder);
  });

  it("reads the new version of a file or folder that is replaced meanwhile", async () => {
    const [reader, writer] = [await browserStorage({ kind: "opfs" }), await browserStorage({ kind: "opfs" })];
    const folder = `raced-${run.slice(5)}`;
    const write = (name: string, value: string): Promise<void> =>
      name === "m"
        ? writer.write(`${folder}/m`, bytes(value))
        : writer.writeFolder(`${folder}/step`, new Map([[value, bytes(value)]]));
    for (const name of ["m", "step"]) await write(name, "old");
    const [files, folders] = [FileSystemFileHandle.prototype, FileSystemDirectoryHandle.prototype];
    const { getFile } = files;
    const { getDirectoryHandle } = folders;
    const beforeFile = (work: () => Promise<void>): void => {
      files.getFile = async function () {
        files.getFile = getFile;
        await work();
        return getFile.call(this);
      };
    };
    beforeFile(() => write("m", "new"));
    expect(text(await reader.read(`${folder}/m`))).toBe("new");
    beforeFile(() => writer.remove(`${folder}/m`));
    await expect(reader.read(`${folder}/m`)).rejects.toThrow(/expected a file at .*m, got none/);
    beforeFile(() => writer.writeFolder(`${folder}/step`, new Map([["old", bytes("newer")]])));
    expect(text(await reader.read(`${folder}/step/old`))).toBe("newer");
    folders.getDirectoryHandle = async function (name, options) {
      const handle = await getDirectoryHandle.call(this, name, options);
      if (name.startsWith("step~")) {
        folders.getDirectoryHandle = getDirectoryHandle;
        await write("step", "new");
      }
      return handle;
    };
    expect(await reader.list(`${folder}/step`)).toEqual(["new"]);
    await writer.remove(folder);
  });

  it("refuses a kind that there is not", async () => {
    await expect(browserStorage({ kind: "disk" as never })).rejects.toThrow(
      /kind opfs or indexed-db, got disk/,
    );
    await expect(browserStorage({ folder: "a" } as never)).rejects.toThrow(/one named folder/);
  });
});
