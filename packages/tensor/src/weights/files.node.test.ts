import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  DownloadError,
  encodeSafetensors,
  type HostEntry,
  readSafetensors,
  readWeights,
  saveModelFolder,
  saveNpz,
  saveSafetensors,
  saveShardedSafetensors,
  tensor,
  useDevice,
  WeightsError,
  writeSafetensors,
} from "../index.js";

const entry = (...values: number[]): HostEntry => ({
  dtype: "float32",
  shape: [values.length],
  values: Float32Array.from(values),
});

let folder: string;
beforeAll(async () => {
  await useDevice("cpu");
  folder = await mkdtemp(join(tmpdir(), "weights-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

describe("saveSafetensors and readSafetensors on files", () => {
  it("give back what was saved, by path, file URL and folder", async () => {
    const path = join(folder, "model.safetensors");
    const weight = tensor([1, 2, 3]);
    await saveSafetensors(path, { weight, "layer.bias": entry(4) }, { metadata: { format: "pt" } });
    expect(new Uint8Array(await readFile(path))).toEqual(
      await writeSafetensors({ weight, "layer.bias": entry(4) }, { metadata: { format: "pt" } }),
    );
    for (const source of [
      path,
      pathToFileURL(path),
      pathToFileURL(path).href,
      folder,
      pathToFileURL(folder),
    ]) {
      const file = await readSafetensors(source);
      expect((await file.host("weight")).values).toEqual(Float32Array.of(1, 2, 3));
      expect([...(await file.hosts()).keys()]).toEqual(file.names);
    }
    weight.dispose();
  });

  it("leave the old file whole when writing fails or is aborted, and no other file behind", async () => {
    const path = join(folder, "kept.safetensors");
    await saveSafetensors(path, { x: entry(1) });
    const before = await readFile(path);
    const gone = tensor([2]);
    gone.dispose();
    await expect(saveSafetensors(path, { x: gone })).rejects.toThrow();
    const controller = new AbortController();
    const saving = saveSafetensors(path, { x: entry(3) }, { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(saving).rejects.toThrow("enough");
    expect(await readFile(path)).toEqual(before);
    expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    await expect(saveSafetensors(join(folder, "none", "x.safetensors"), { x: entry(1) })).rejects.toThrow(
      WeightsError,
    );
  });

  it("refuse a missing file, an empty folder, and a file changed meanwhile", async () => {
    await expect(readSafetensors(join(folder, "missing.safetensors"))).rejects.toThrow(
      /missing\.safetensors: expected a file that can be read/,
    );
    const empty = await mkdtemp(join(folder, "empty-"));
    await expect(readSafetensors(empty)).rejects.toThrow(
      /model\.safetensors or model\.safetensors\.index\.json/,
    );
    const path = join(folder, "changing.safetensors");
    await saveSafetensors(path, { x: entry(1, 2) });
    const file = await readSafetensors(path);
    await saveSafetensors(path, { x: entry(3, 4) });
    await expect(file.host("x")).rejects.toThrow(/changed meanwhile/);
  });

  it("write an archive of NumPy's arrays and a model's folder, and leave old ones alone when aborted", async () => {
    const path = join(folder, "arrays.npz");
    await saveNpz(path, { x: entry(1, 2) }, { compress: true });
    expect((await (await readWeights(path)).host("x")).values).toEqual(Float32Array.of(1, 2));
    const model = join(folder, "models", "toy");
    const card = { title: "Toy" };
    await saveModelFolder(model, {
      config: { model_type: "toy" },
      tensors: { x: entry(1) },
      files: { "tokenizer/vocab.txt": "a" },
      card,
    });
    expect((await readdir(model)).sort()).toEqual([
      "README.md",
      "config.json",
      "model.safetensors",
      "tokenizer",
    ]);
    expect(await readFile(join(model, "tokenizer", "vocab.txt"), "utf8")).toBe("a");
    const before = await readFile(join(model, "model.safetensors"));
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(saveModelFolder(model, { config: {}, tensors: {} }, { signal })).rejects.toThrow("enough");
    await expect(saveNpz(path, {}, { signal })).rejects.toThrow("enough");
    expect(await readFile(join(model, "model.safetensors"))).toEqual(before);
    expect(JSON.parse(await readFile(join(model, "config.json"), "utf8"))).toEqual({ model_type: "toy" });
    await expect(saveNpz(join(folder, "none", "x.npz"), { x: entry(1) })).rejects.toThrow(WeightsError);
  });

  it("replace a model in a folder by another, sharded or not, whole or not at all", async () => {
    const model = await mkdtemp(join(folder, "replaced-"));
    await writeFile(join(model, "model.safetensors.md"), "kept");
    await saveShardedSafetensors(model, { a: entry(1, 2), b: entry(3) }, { maxShardBytes: 8 });
    const sharded = [
      "model-00001-of-00002.safetensors",
      "model-00002-of-00002.safetensors",
      "model.safetensors.index.json",
      "model.safetensors.md",
    ];
    expect((await readdir(model)).sort()).toEqual(sharded);
    expect((await readSafetensors(model)).names).toEqual(["a", "b"]);
    const gone = tensor([2]);
    gone.dispose();
    await expect(saveShardedSafetensors(model, { a: entry(5), gone })).rejects.toThrow();
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(saveShardedSafetensors(model, { a: entry(5) }, { signal })).rejects.toThrow("enough");
    expect((await readdir(model)).sort()).toEqual(sharded);
    await saveShardedSafetensors(model, { a: entry(5) });
    expect((await readdir(model)).sort()).toEqual(["model.safetensors", "model.safetensors.md"]);
    expect((await (await readSafetensors(model)).host("a")).values).toEqual(Float32Array.of(5));
    await expect(saveShardedSafetensors(join(folder, "none"), { x: entry(1) })).rejects.toThrow(WeightsError);
  });

  it("read a sharded model and refuse an index that leads astray", async () => {
    const shards = await mkdtemp(join(folder, "shards-"));
    await saveSafetensors(join(shards, "model-00001-of-00002.safetensors"), { a: entry(1), b: entry(2) });
    await saveSafetensors(join(shards, "model-00002-of-00002.safetensors"), { c: entry(3) });
    const index = (map: Record<string, unknown>): Promise<void> =>
      writeFile(
        join(shards, "model.safetensors.index.json"),
        JSON.stringify({ metadata: {}, weight_map: map }),
      );
    const good = {
      a: "model-00001-of-00002.safetensors",
      b: "model-00001-of-00002.safetensors",
      c: "model-00002-of-00002.safetensors",
    };
    await index(good);
    const file = await readSafetensors(shards);
    expect(file.names).toEqual(["a", "b", "c"]);
    expect([...(await file.hosts({ names: ["c", "a"] })).values()]).toEqual([entry(3), entry(1)]);
    await index({ ...good, d: "../kept.safetensors" });
    await expect(readSafetensors(shards)).rejects.toThrow(/the file name "\.\.\/kept\.safetensors"/);
    await index({ ...good, d: "model-00002-of-00002.safetensors" });
    await expect(readSafetensors(shards)).rejects.toThrow(/expected tensor "d", as .* says/);
    for (const file of ["..", "", "/etc/passwd", "a\\b", "C:x", 3, null, { toString: 1 }]) {
      await index({ ...good, d: file });
      await expect(readSafetensors(shards)).rejects.toThrow(/the file name .* for tensor "d"/);
    }
    await index({ ...good, d: "model-00003-of-00003.safetensors" });
    await expect(readSafetensors(shards)).rejects.toThrow(/model-00003.*: expected a file that can be read/);
    await index({ a: good.c });
    await expect(readSafetensors(shards)).rejects.toThrow(/expected tensor "a", as .* says/);
    for (const [text, message] of [
      ["{", /no string at character 1/],
      ['{"weight_map":{"a":"x","a":"y"}}', /the name "a" twice/],
      ['{"__proto__":{"weight_map":{}}}', /got none/],
      ['{"weight_map":["a"]}', /got none/],
      ["[".repeat(100_000), /nesting deeper/],
    ] as const) {
      await writeFile(join(shards, "model.safetensors.index.json"), text);
      const reading = readSafetensors(shards);
      await expect(reading).rejects.toThrow(WeightsError);
      await expect(reading).rejects.toThrow(message);
    }
    await saveSafetensors(join(shards, "model-00002-of-00002.safetensors"), { a: entry(1), c: entry(3) });
    await index(good);
    await expect(readSafetensors(shards)).rejects.toThrow(/expected tensor "a" in one file, got it in two/);
  });
});

describe("readSafetensors over HTTP", () => {
  let server: Server;
  let base: string;
  let requests: string[] = [];
  let serve: (request: IncomingMessage, response: ServerResponse) => void;
  const large = encodeSafetensors(
    new Map([
      ["a", entry(...new Array(30_000).fill(1))],
      ["b", entry(...new Array(30_000).fill(2))],
      ["c", entry(3)],
    ]),
  );

  const ranged =
    (file: Uint8Array, etag: () => string = () => '"1"') =>
    (request: IncomingMessage, response: ServerResponse): void => {
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "")!;
      const end = Math.min(Number(last) + 1, file.byteLength);
      response.writeHead(206, {
        "content-range": `bytes ${first}-${end - 1}/${file.byteLength}`,
        etag: etag(),
      });
      response.end(file.subarray(Number(first), end));
    };

  beforeAll(async () => {
    server = createServer((request, response) => {
      requests.push(request.headers.range ?? "whole");
      serve(request, response);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/model.safetensors`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it("asks for the ranges of the tensors that are read, neighbours together", async () => {
    serve = ranged(large);
    requests = [];
    const file = await readSafetensors(base);
    expect(requests).toEqual(["bytes=0-65535"]);
    expect((await file.host("c")).values).toEqual(Float32Array.of(3));
    expect(requests).toHaveLength(2);
    const hosts = await file.hosts({ names: ["b", "a"] });
    expect(requests).toHaveLength(3);
    expect([...hosts.keys()]).toEqual(["b", "a"]);
    expect(hosts.get("b")!.values[29_999]).toBe(2);
    expect(hosts.get("a")!.values[29_999]).toBe(1);
  });

  it("takes the whole file from a server without ranges, once", async () => {
    serve = (_, response) => response.end(large);
    requests = [];
    const file = await readSafetensors(new URL(base));
    expect((await file.hosts()).get("c")!.values).toEqual(Float32Array.of(3));
    expect(requests).toHaveLength(1);
  });

  it("reads a sharded model beside its index, with the query of the URL", async () => {
    const shard = encodeSafetensors(new Map([["x", entry(5)]]));
    const index = new TextEncoder().encode(JSON.stringify({ weight_map: { x: "part 1.safetensors" } }));
    const paths: string[] = [];
    serve = (request, response) => {
      paths.push(request.url ?? "");
      ranged(request.url?.includes("index") ? index : shard)(request, response);
    };
    const file = await readSafetensors(
      base.replace("model.safetensors", "m/model.safetensors.index.json?token=1"),
    );
    expect((await file.host("x")).values).toEqual(Float32Array.of(5));
    expect(paths).toEqual(["/m/model.safetensors.index.json?token=1", "/m/part%201.safetensors?token=1"]);
  });

  it("refuses an error status, a wrong range, a file that changed, and a lost connection", async () => {
    serve = (_, response) => response.writeHead(404).end();
    await expect(readSafetensors(base)).rejects.toThrow(DownloadError);
    await expect(readSafetensors(base)).rejects.toThrow(/expected HTTP 200 or 206, got 404/);
    serve = (_, response) => response.writeHead(206, { "content-range": "bytes 8-15/100" }).end("12345678");
    await expect(readSafetensors(base)).rejects.toThrow(
      /the beginning of the file, got content-range bytes 8-15/,
    );
    let version = 0;
    serve = ranged(large, () => `"${version++}"`);
    const file = await readSafetensors(base);
    await expect(file.host("b")).rejects.toThrow(/it changed meanwhile/);
    serve = (request) => request.socket.destroy();
    await expect(readSafetensors(base)).rejects.toThrow(DownloadError);
    serve = (_, response) => {
      response.writeHead(206, { "content-range": "bytes 0-99/100", "content-length": "100" });
      response.write("123");
      setTimeout(() => response.destroy(), 10);
    };
    await expect(readSafetensors(base)).rejects.toThrow(/expected the whole body/);
  });

  it("stops at an abort while the server is silent", async () => {
    serve = () => {};
    const controller = new AbortController();
    const reading = readSafetensors(base, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 20);
    await expect(reading).rejects.toThrow("enough");
  });
});
