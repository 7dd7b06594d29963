import { describe, expect, it } from "vitest";
import { openModelFiles, WeightsError } from "../index.js";
import { downloadsOf, putRepository, TEST_COMMIT, testHubUrl, trueBytes } from "../testing/test-hub.js";
import { PIECE_BYTES } from "./cache/browser-store.js";
import { cacheStorageShelf, opfsShelf } from "./cache/shelf.js";

const place = { endpoint: testHubUrl(), token: false } as const;

describe.each([
  ["opfs", opfsShelf],
  ["cache-storage", cacheStorageShelf],
] as const)("a browser's storage: %s", (cache, openShelf) => {
  it("keeps a file in pieces, resumes it in the middle of one, and reads across them", async () => {
    const size = PIECE_BYTES + 2_000_000;
    const id = await putRepository({
      files: { m: { size, large: true } },
      faults: [{ on: "cdn", truncateAt: PIECE_BYTES + 500_000 }],
    });
    const files = await openModelFiles(id, { ...place, cache });
    const source = await files.open("m");
    const all = await trueBytes(id, "m");
    const [start, end] = [PIECE_BYTES - 100, PIECE_BYTES + 100];
    expect(await source.read(start, end)).toEqual(all.slice(start, end));
    const last = await source.read(size - 10, size);
    expect(last).toEqual(all.slice(size - 10));
    const ranges = (await downloadsOf(id)).map(({ range }) => range);
    expect(ranges).toHaveLength(2);
    const keys = await (await openShelf()).keys(`models--${id.replace("/", "--")}/blobs/`);
    expect(keys).toHaveLength(2);
  });

  it("fetches again what the browser dropped", async () => {
    const id = await putRepository({ files: { a: { text: "kept" } } });
    const files = await openModelFiles(id, { ...place, cache });
    await files.open("a");
    const shelf = await openShelf();
    for (const key of await shelf.keys(`models--${id.replace("/", "--")}/blobs/`)) await shelf.remove(key);
    const offline = await openModelFiles(id, { ...place, cache, offline: true });
    await expect(offline.open("a")).rejects.toThrow(/expected the file in the cache/);
    expect(await files.readText("a")).toBe("kept");
    expect(await offline.readText("a")).toBe("kept");
  });

  it("is not led astray by odd names", async () => {
    const odd = ["__proto__", "a%2fb", "a b~c/ü.json", "con.txt"];
    const id = await putRepository({
      files: Object.fromEntries(odd.map((name) => [`x${name}`, { text: name }])),
    });
    const files = await openModelFiles(id, { ...place, cache });
    for (const name of odd) expect(await files.readText(`x${name}`)).toBe(name);
    const offline = await openModelFiles(id, { ...place, cache, offline: true, revision: TEST_COMMIT });
    for (const name of odd) expect(await offline.readText(`x${name}`)).toBe(name);
  });

  it("serves two tabs from one download", async () => {
    const id = await putRepository({
      files: { m: { size: 500_000, large: true } },
      faults: [{ on: "cdn", slowMilliseconds: 20 }],
    });
    // two openings share nothing but the storage and the browser's locks, like two tabs
    const [first, second] = await Promise.all([1, 2].map(() => openModelFiles(id, { ...place, cache })));
    await Promise.all([first.open("m"), second.open("m")]);
    expect(await downloadsOf(id)).toHaveLength(1);
  });
});

describe("openModelFiles of a folder in a browser", () => {
  it("reads a folder by its handle", async () => {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("chosen", {
      create: true,
    });
    const inner = await root.getDirectoryHandle("onnx", { create: true });
    const writable = await (await inner.getFileHandle("m.onnx", { create: true })).createWritable();
    await writable.write("abc");
    await writable.close();
    const files = await openModelFiles(root);
    expect(files.name).toBe("chosen");
    expect(await files.list()).toEqual([{ path: "onnx/m.onnx" }]);
    expect(await files.readText("onnx/m.onnx")).toBe("abc");
    const source = await (await openModelFiles(root, { subfolder: "onnx" })).open("m.onnx");
    expect(await source.read(2, 3)).toEqual(Uint8Array.of(99));
    await expect(files.open("none/x")).rejects.toThrow(WeightsError);
  });

  it("reads a dropped folder", async () => {
    const file = (name: string, text: string) => ({
      isDirectory: false,
      name,
      file: (done: (file: File) => void) => done(new File([text], name)),
    });
    const folder = (name: string, entries: unknown[]): unknown => ({
      isDirectory: true,
      name,
      createReader() {
        // one at a time, as a browser gives a hundred at a time
        const left = [...entries];
        return { readEntries: (done: (some: unknown[]) => void) => done(left.splice(0, 1)) };
      },
    });
    const dropped = folder("tiny", [
      file("config.json", "{}"),
      folder("sub", [file("a", "1"), file("b", "2")]),
    ]);
    const files = await openModelFiles(dropped as FileSystemDirectoryEntry);
    expect((await files.list()).map(({ path }) => path)).toEqual(["config.json", "sub/a", "sub/b"]);
    expect(await files.readText("sub/b")).toBe("2");
  });
});
