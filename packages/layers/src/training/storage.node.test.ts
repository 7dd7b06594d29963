import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { memoryStorage, nodeStorage, readIfPresent, type TrainingStorage } from "./storage.js";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "storage-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

describe.each([
  ["node", async () => [await nodeStorage(), root] as const],
  ["memory", async () => [memoryStorage(), "root"] as const],
])("%s storage", (_, make) => {
  it("writes, appends, lists and removes", async () => {
    const [storage, folder] = await make();
    expect(await storage.list(`${folder}/none`)).toEqual([]);
    await storage.write(`${folder}/a/b.txt`, bytes("one"));
    await storage.write(`${folder}/a/b.txt`, bytes("two"));
    await storage.append(`${folder}/a/c.txt`, bytes("x"));
    await storage.append(`${folder}/a/c.txt`, bytes("y"));
    expect(text(await storage.read(`${folder}/a/b.txt`))).toBe("two");
    expect(text(await storage.read(`${folder}/a/c.txt`))).toBe("xy");
    expect(await storage.list(`${folder}/a`)).toEqual(["b.txt", "c.txt"]);
    await storage.writeFolder(
      `${folder}/d/step`,
      new Map([
        ["m", bytes("1")],
        ["n", bytes("2")],
      ]),
    );
    await storage.writeFolder(`${folder}/d/step`, new Map([["m", bytes("3")]]));
    expect(await storage.list(`${folder}/d/step`)).toEqual(["m"]);
    expect(text(await storage.read(`${folder}/d/step/m`))).toBe("3");
    await storage.remove(`${folder}/d/step`);
    await storage.remove(`${folder}/d/step`);
    expect(await storage.list(`${folder}/d`)).toEqual([]);
    await expect(storage.read(`${folder}/none`)).rejects.toThrow();
    expect(await storage.list(`${folder}/a/b.txt`)).toEqual([]); // a file
    expect(await readIfPresent(storage, `${folder}/a/b.txt/c`)).toBeUndefined();
    expect(text((await readIfPresent(storage, `${folder}/a/c.txt`))!)).toBe("xy");
  });
});

describe("node storage", () => {
  let storage: TrainingStorage;
  beforeAll(async () => {
    storage = await nodeStorage();
  });

  it("leaves no draft behind, hides those of others and removes those of dead processes", async () => {
    const folder = join(root, "drafts");
    const dead = join(folder, ".tmp-999999999-0-step");
    const living = join(folder, `.tmp-${process.ppid}-0-step`);
    const forgotten = join(folder, `.tmp-${process.pid}-0-step`);
    for (const draft of [dead, living, forgotten]) {
      await mkdir(draft, { recursive: true });
      await writeFile(join(draft, "part"), "cut");
    }
    await utimes(forgotten, 1e9, 1e9); // of a process that had this one's number
    expect(await storage.list(folder)).toEqual([]);
    await storage.writeFolder(join(folder, "step"), new Map([["m", bytes("1")]]));
    expect((await readdir(folder)).sort()).toEqual([`.tmp-${process.ppid}-0-step`, "step"]);
  });

  it("puts back what a killed process had moved away for a version that never came", async () => {
    const folder = join(root, "replaced");
    const old = async (owner: number, name: string): Promise<void> => {
      await mkdir(join(folder, `.tmp-${owner}-4.old-${name}`), { recursive: true });
      await writeFile(join(folder, `.tmp-${owner}-4.old-${name}`, "m"), "old");
    };
    await old(999999999, "step-1");
    await old(999999999, "step-2");
    await mkdir(join(folder, "step-2"));
    expect(await storage.list(folder)).toEqual(["step-1", "step-2"]);
    expect(text(await storage.read(join(folder, "step-1", "m")))).toBe("old");
    expect(await storage.list(join(folder, "step-2"))).toEqual([]);
    await storage.writeFolder(join(folder, "step-4"), new Map([["m", bytes("1")]]));
    expect((await readdir(folder)).filter((name) => name.startsWith("."))).toEqual([]);
    // its number lives again, as in a container that starts again: whoever lists waits for a moment
    await old(process.pid, "step-5");
    expect(await storage.list(folder)).toContain("step-5");
    expect(text(await storage.read(join(folder, "step-5", "m")))).toBe("old");
  });

  it("writes each of several versions at once, of which the last one stays", async () => {
    const folder = join(root, "at-once");
    await Promise.all(
      ["1", "2", "3"].map((version) =>
        storage.writeFolder(join(folder, "best"), new Map([["m", bytes(version)]])),
      ),
    );
    expect(await readdir(folder)).toEqual(["best"]);
    expect(text(await storage.read(join(folder, "best", "m")))).toMatch(/^[123]$/);
  });

  it("leaves the old file or folder when writing fails, and no draft", async () => {
    const path = join(root, "kept.txt");
    await storage.write(path, bytes("old"));
    const broken = {
      get length(): number {
        throw new TypeError("broken");
      },
    } as unknown as Uint8Array;
    await expect(storage.write(path, broken)).rejects.toThrow();
    expect(await readFile(path, "utf8")).toBe("old");
    const step = join(root, "full", "step");
    await storage.writeFolder(step, new Map([["m", bytes("old")]]));
    const cut = new Map([
      ["m", bytes("new")],
      ["n", broken],
    ]);
    await expect(storage.writeFolder(step, cut)).rejects.toThrow();
    expect(text(await storage.read(join(step, "m")))).toBe("old");
    expect(await readdir(join(root, "full"))).toEqual(["step"]);
    expect((await readdir(root)).filter((name) => name.startsWith("."))).toEqual([]);
  });
});
