import { describe, expect, it } from "vitest";
import { listModelCache, openModelFiles, WeightsError } from "../index.js";
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
    const model = (await listModelCache({ cache })).find((cached) => cached.id === id)!;
    expect(model.revisions[0].files.map(({ path }) => path).sort()).toEqual(
      odd.map((name) => `x${name}`).sort(),
    );
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

it("goes on reading a file that a new commit of another tab has too", async () => {
  const options = { ...place, cache: "opfs" } as const;
  const files = { a: { text: "shared" } };
  const id = await putRepository({ files });
  const source = await (await openModelFiles(id, options)).open("a");
  await putRepository({ commit: "e".repeat(40), files }, id);
  await (await openModelFiles(id, options)).open("a");
  expect(await source.read(0, 6)).toEqual(new TextEncoder().encode("shared"));
});

it("reads a name in the cache that another tab writes anew meanwhile", async () => {
  const options = { ...place, cache: "opfs" } as const;
  const id = await putRepository({ files: { a: { text: "kept" } } });
  await (await openModelFiles(id, options)).open("a");
  const { prototype } = FileSystemFileHandle;
  const { getFile } = prototype;
  const rewritten: string[] = [];
  prototype.getFile = async function () {
    const file = await getFile.call(this);
    // the pieces of a file are never written anew
    if (this.name !== "000000" && !rewritten.includes(this.name)) {
      rewritten.push(this.name);
      const writable = await this.createWritable();
      await writable.write(await file.arrayBuffer());
      await writable.close();
    }
    return file;
  };
  try {
    const offline = await openModelFiles(id, { ...options, offline: true });
    expect(await offline.list()).toEqual([expect.objectContaining({ path: "a", sizeBytes: 4 })]);
    expect(await offline.readText("a")).toBe("kept");
    expect(rewritten).toEqual(["main", `${TEST_COMMIT}.json`, "a"]);
    expect((await listModelCache({ cache: "opfs" })).map((model) => model.id)).toContain(id);
  } finally {
    prototype.getFile = getFile;
  }
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
