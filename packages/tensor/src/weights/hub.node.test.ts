import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DownloadError, openModelFiles, pruneModelCache, WeightsError } from "../index.js";
import { runInNode } from "../testing/run-in-node.js";
import {
  downloadsOf,
  newRepositoryId,
  putRepository,
  requestsFor,
  TEST_COMMIT,
  testHubUrl,
  trueBytes,
} from "../testing/test-hub.js";
import { withLock } from "./cache/disk-lock.js";
import { download, type PartialFile } from "./http/download.js";
import { send } from "./http/request.js";
import type { OpenModelOptions } from "./open-model-files.js";

const LARGE = { size: 3_000_000, large: true };
let cacheFolder: string;
let place: OpenModelOptions;

beforeEach(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), "hub-node-"));
  place = { endpoint: testHubUrl(), token: false, cacheFolder };
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(cacheFolder, { recursive: true });
});

const folderOf = (id: string): string => join(cacheFolder, `models--${id.replace("/", "--")}`);

async function removeIn(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name), { force: true });
}

/** A program that downloads `m` of a model and prints its size. */
const program = (id: string, onProgress = ""): string => `
  import { openModelFiles } from "@ai/tensor";
  const files = await openModelFiles(${JSON.stringify(id)}, {
    ...${JSON.stringify(place)},
    onProgress: ({ loadedBytes }) => { ${onProgress} },
  });
  console.log((await files.open("m")).size);
`;

describe("the cache on disk", () => {
  it("has the layout of Python's huggingface_hub", async () => {
    const id = await putRepository({
      files: { "a/b.json": { text: "{}" }, m: LARGE },
      revisions: { "refs/pr/1": TEST_COMMIT },
    });
    const files = await openModelFiles(id, place);
    await files.download();
    await openModelFiles(id, { ...place, revision: "refs/pr/1" });
    const folder = folderOf(id);
    const sha256 = (await files.list())[1].checksum!.hex;
    expect((await readdir(join(folder, "blobs"))).sort()).toEqual(
      ["9e26dfeeb6e641a33dae4961196235bdb965b21b", sha256].sort(),
    );
    expect(await readlink(join(folder, "snapshots", TEST_COMMIT, "a/b.json"))).toBe(
      "../../../blobs/9e26dfeeb6e641a33dae4961196235bdb965b21b",
    );
    expect(await readlink(join(folder, "snapshots", TEST_COMMIT, "m"))).toBe(`../../blobs/${sha256}`);
    expect(await readFile(join(folder, "refs/main"), "utf8")).toBe(TEST_COMMIT);
    expect(await readFile(join(folder, "refs/refs/pr/1"), "utf8")).toBe(TEST_COMMIT);
    const tree = JSON.parse(await readFile(join(folder, `trees/${TEST_COMMIT}.json`), "utf8"));
    expect(tree.files.m).toMatchObject({ size: 3_000_000, lfs_sha256: sha256 });
    expect(await readFile(join(cacheFolder, "CACHEDIR.TAG"), "utf8")).toMatch(/^Signature: 8a477f597d28d172/);
    expect(await readdir(join(cacheFolder, ".locks", `models--${id.replace("/", "--")}`))).toEqual([]);
  });

  it("holds the files themselves where links are not wanted", async () => {
    vi.stubEnv("HF_HUB_DISABLE_SYMLINKS", "1");
    const id = await putRepository({ files: { a: { text: "same" }, b: { text: "same" } } });
    const files = await openModelFiles(id, place);
    await files.download();
    for (const name of ["a", "b"])
      expect((await lstat(join(folderOf(id), "snapshots", TEST_COMMIT, name))).isFile()).toBe(true);
    expect(await files.readText("b")).toBe("same");
    const offline = await openModelFiles(id, { ...place, offline: true });
    expect(await offline.readText("a")).toBe("same");
  });

  it("fetches a file again that is cut off", async () => {
    const id = await putRepository({ files: { m: LARGE } });
    const files = await openModelFiles(id, place);
    await files.open("m");
    const [blob] = await readdir(join(folderOf(id), "blobs"));
    await writeFile(join(folderOf(id), "blobs", blob), "cut");
    expect((await (await openModelFiles(id, place)).open("m")).size).toBe(3_000_000);
    expect((await stat(join(folderOf(id), "blobs", blob))).size).toBe(3_000_000);
  });

  it("loses nothing to kill -9 and goes on where it was", async () => {
    const id = await putRepository({
      files: { done: { text: "whole" }, m: LARGE },
      faults: [{ on: "cdn", trickleAt: 2_000_000 }],
    });
    await (await openModelFiles(id, place)).open("done");
    const killed = await runInNode(
      program(id, 'if (loadedBytes > 1_000_000) process.kill(process.pid, "SIGKILL");'),
    );
    expect(killed.signal).toBe("SIGKILL");
    const left = (await readdir(join(folderOf(id), "blobs"))).filter((name) => name.endsWith(".incomplete"));
    expect(left).toHaveLength(1);
    const files = await openModelFiles(id, place);
    expect(await files.readText("done")).toBe("whole");
    const bytes = await files.read("m");
    expect(Buffer.compare(bytes, await trueBytes(id, "m"))).toBe(0);
    const ranges = (await downloadsOf(id)).map(({ range }) => Number(/\d+/.exec(range ?? "0")![0]));
    expect(ranges).toHaveLength(2);
    expect(ranges[1]).toBeGreaterThan(1_000_000);
    expect(await readdir(join(folderOf(id), "blobs"))).toHaveLength(2);
  });

  it("is filled once by two processes that want the same model", async () => {
    const id = await putRepository({
      files: { m: LARGE },
      faults: [{ on: "cdn", slowMilliseconds: 15, times: 2 }],
    });
    const results = await Promise.all([runInNode(program(id)), runInNode(program(id))]);
    for (const { code, stdout, stderr } of results)
      expect([code, stdout.trim(), stderr]).toEqual([0, "3000000", ""]);
    expect(await downloadsOf(id)).toHaveLength(1);
    const [blob, ...others] = await readdir(join(folderOf(id), "blobs"));
    expect(others).toEqual([]);
    expect(Buffer.compare(await readFile(join(folderOf(id), "blobs", blob)), await trueBytes(id, "m"))).toBe(
      0,
    );
  });

  it("stays whole when two processes download without a lock between them", async () => {
    const id = await putRepository({
      files: { m: LARGE },
      faults: [{ on: "cdn", slowMilliseconds: 15, times: 2 }],
    });
    const files = await openModelFiles(id, place);
    const locks = join(cacheFolder, ".locks", `models--${id.replace("/", "--")}`);
    const first = files.open("m", {
      onProgress({ loadedBytes }) {
        // as on a file system whose locks do not hold
        if (loadedBytes > 0) void removeIn(locks);
      },
    });
    const second = runInNode(program(id));
    expect([(await first).size, (await second).stdout.trim()]).toEqual([3_000_000, "3000000"]);
    expect(Buffer.compare(await files.read("m"), await trueBytes(id, "m"))).toBe(0);
  });

  it("is read in bounded memory", async () => {
    const id = await putRepository({
      files: { first: { size: 24_000_000, large: true }, m: { size: 96_000_000, large: true } },
    });
    const { stdout, stderr } = await runInNode(`
      import { openModelFiles } from "@ai/tensor";
      const files = await openModelFiles(${JSON.stringify(id)}, ${JSON.stringify(place)});
      await files.open("first"); // what any download needs
      const before = process.resourceUsage().maxRSS;
      await files.open("m");
      console.log(process.resourceUsage().maxRSS - before);
    `);
    expect(stderr).toBe("");
    expect(Number(stdout)).toBeLessThan(32 * 1024);
  });
});

describe("locks", () => {
  it("admit one at a time, and pass over those of dead processes", async () => {
    const path = join(cacheFolder, "x.lock");
    let inside = 0;
    await Promise.all(
      [1, 2, 3].map(() =>
        withLock(
          path,
          async () => {
            expect(++inside).toBe(1);
            await new Promise((resolve) => setTimeout(resolve, 30));
            inside--;
          },
          undefined,
        ),
      ),
    );
    await writeFile(path, JSON.stringify({ host: hostname(), pid: 2 ** 22 + 1, id: "x" }));
    expect(await withLock(path, async () => "taken", undefined)).toBe("taken");
    await writeFile(path, JSON.stringify({ host: hostname(), pid: process.pid, id: "x" }));
    const waiting = withLock(path, async () => "taken", AbortSignal.timeout(200));
    await expect(waiting).rejects.toThrow(/timeout/i);
    expect(await readdir(cacheFolder)).toEqual(["x.lock"]);
  });
});

describe("what the hub answers in Node", () => {
  it("is refused when a redirect leads astray", async () => {
    const token = "hf_secretive";
    const redirect = (location: string) => ({ on: "file", file: "m", location, times: 12 }) as const;
    for (const [location, problem] of [
      ["ftp://localhost/m", /one to ftp:/],
      ["http://user:password@localhost/m", /one with a password/],
      ["", /more than 10 redirects/],
    ] as const) {
      const id = newRepositoryId();
      const own = `/${id}/resolve/${TEST_COMMIT}/m`;
      await putRepository({ files: { m: LARGE }, token, faults: [redirect(location || own)] }, id);
      const error = await (await openModelFiles(id, { ...place, token })).open("m").catch((reason) => reason);
      expect(error).toBeInstanceOf(DownloadError);
      expect(error.message).toMatch(problem);
      expect(error.message).not.toMatch(/password@|secretive/);
    }
  });

  it("is refused when it names another checksum than the listing", async () => {
    const id = await putRepository({
      files: { m: LARGE },
      faults: [{ on: "file", headers: { "x-linked-etag": `"${"0".repeat(64)}"` } }],
    });
    await expect((await openModelFiles(id, place)).open("m")).rejects.toThrow(
      /got a file with 0{64}; it changed meanwhile/,
    );
  });

  it("is given up after a time of silence, then taken up again", async () => {
    const id = await putRepository({ files: { m: LARGE }, faults: [{ on: "cdn", stallAt: 500_000 }] });
    const [{ checksum }] = await (await openModelFiles(id, place)).list();
    let content = new Uint8Array(0);
    const partial: PartialFile = {
      get length() {
        return content.byteLength;
      },
      async *bytes() {
        yield content;
      },
      async append(chunk) {
        content = Buffer.concat([content, chunk]);
      },
      async reset() {
        content = new Uint8Array(0);
      },
    };
    const url = new URL(`${testHubUrl()}/${id}/resolve/main/m`);
    await download(
      { file: "m", url, size: LARGE.size, checksum: checksum!, idleSeconds: 1, backoffSeconds: 0.01 },
      partial,
    );
    expect(Buffer.compare(content, await trueBytes(id, "m"))).toBe(0);
    expect((await downloadsOf(id))[1].range).toMatch(/^bytes=[1-5]\d+-$/);
  });
});

describe("an abort", () => {
  it("ends a download at any moment", async () => {
    for (let round = 0; round < 20; round++) {
      const id = await putRepository({ files: { m: LARGE }, faults: [{ on: "cdn", slowMilliseconds: 2 }] });
      const controller = new AbortController();
      const files = await openModelFiles(id, place);
      const opening = files.open("m", {
        signal: controller.signal,
        onProgress({ loadedBytes }) {
          if (loadedBytes > (LARGE.size * (round % 10)) / 10) controller.abort(new Error("enough"));
        },
      });
      if (round >= 10) setTimeout(() => controller.abort(new Error("enough")), round - 10);
      await expect(opening).rejects.toThrow("enough");
    }
  });
});

describe("the usual environment variables", () => {
  it("name endpoint, token, cache and offline mode", async () => {
    const token = "hf_fromtheenvironment";
    const id = await putRepository({ files: { a: { text: "x" } }, token });
    vi.stubEnv("HF_ENDPOINT", testHubUrl());
    vi.stubEnv("HF_HOME", cacheFolder);
    vi.stubEnv("HF_HUB_CACHE", undefined);
    vi.stubEnv("HUGGINGFACE_HUB_CACHE", undefined);
    vi.stubEnv("HF_TOKEN", undefined);
    vi.stubEnv("HUGGING_FACE_HUB_TOKEN", undefined);
    vi.stubEnv("HF_TOKEN_PATH", undefined);
    await expect(openModelFiles(id)).rejects.toThrow(/needs a token/);
    await writeFile(join(cacheFolder, "token"), `${token}\n`);
    const files = await openModelFiles(id);
    expect((await files.open("a")).name.startsWith(join(cacheFolder, "hub", "models--"))).toBe(true);
    await rm(join(cacheFolder, "token"));
    vi.stubEnv("HF_TOKEN", token);
    vi.stubEnv("HF_HUB_CACHE", "$HF_HOME/elsewhere");
    expect((await (await openModelFiles(id)).open("a")).name).toContain(join(cacheFolder, "elsewhere"));
    const before = (await requestsFor(id)).length;
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await (await openModelFiles(id)).readText("a")).toBe("x");
    expect(await requestsFor(id)).toHaveLength(before);
    await expect(openModelFiles(newRepositoryId())).rejects.toThrow(/since offline is set/);
    vi.stubEnv("HF_HUB_OFFLINE", undefined);
    // the environment's token belongs to the environment's endpoint
    vi.stubEnv("HF_ENDPOINT", "https://hub.invalid");
    await expect(openModelFiles(id, { endpoint: testHubUrl(), cacheFolder })).rejects.toThrow(
      /needs a token/,
    );
    expect((await requestsFor(id)).at(-1)!.authorization).toBeUndefined();
  });
});

describe("openModelFiles of a folder", () => {
  it("lists and reads, also by subfolder and file URL", async () => {
    const folder = join(cacheFolder, "tiny");
    await mkdir(join(folder, "onnx"), { recursive: true });
    await writeFile(join(folder, "config.json"), "{}");
    await writeFile(join(folder, "onnx/model.onnx"), "abc");
    const files = await openModelFiles(folder);
    expect(await files.list()).toEqual([
      { path: "config.json", sizeBytes: 2 },
      { path: "onnx/model.onnx", sizeBytes: 3 },
    ]);
    const inside = await openModelFiles(`file://${folder}`, { subfolder: "onnx" });
    expect(await inside.list()).toEqual([{ path: "model.onnx", sizeBytes: 3 }]);
    const source = await inside.open("model.onnx");
    expect(await source.read(1, 2)).toEqual(Uint8Array.of(98));
    await expect(inside.open("../config.json")).rejects.toThrow(/leads out|inside the model/);
    await expect(files.open("none")).rejects.toThrow(WeightsError);
    await expect(openModelFiles(join(folder, "no", "such"))).rejects.toThrow(/expected a folder of a model/);
    await expect(openModelFiles(folder, { revision: "main" })).rejects.toThrow(/revision with a repository/);
  });
});

describe("interrupted downloads", () => {
  it("are taken over from the dead, not from the living", async () => {
    const id = await putRepository({ files: { m: LARGE } });
    const all = await trueBytes(id, "m");
    const [{ checksum }] = await (await openModelFiles(id, place)).list();
    const blobs = join(folderOf(id), "blobs");
    await mkdir(blobs, { recursive: true });
    const label = hostname().replace(/[^\w.-]/g, "_");
    const living = join(blobs, `${checksum!.hex}.${label}-${process.ppid}-00000000.incomplete`);
    await writeFile(living, all.subarray(0, 2_000_000));
    await writeFile(
      join(blobs, `${checksum!.hex}.${label}-${2 ** 22 + 1}-00000000.incomplete`),
      all.subarray(0, 1_000_000),
    );
    const elsewhere = join(blobs, `${checksum!.hex}.other-1-00000000.incomplete`);
    await writeFile(elsewhere, "recent");
    await (await openModelFiles(id, place)).open("m");
    expect((await downloadsOf(id))[0].range).toBe("bytes=1000000-");
    expect((await stat(living)).size).toBe(2_000_000);
    // another machine's is nobody's after an hour without growth
    expect(await pruneModelCache({ cacheFolder, incomplete: true })).toEqual({
      freedBytes: 0,
      revisions: [],
    });
    const long = new Date(Date.now() - 2 * 3_600_000);
    await utimes(elsewhere, long, long);
    expect(await pruneModelCache({ cacheFolder, incomplete: true, dryRun: true })).toMatchObject({
      freedBytes: 6,
    });
    expect(await pruneModelCache({ cacheFolder, incomplete: true })).toMatchObject({ freedBytes: 6 });
    expect((await readdir(blobs)).length).toBe(2);
  });
});

it("asks whether one is offline when a server's name is not found", async () => {
  await expect(send(new URL("https://hub.invalid/model"))).rejects.toThrow(
    /^https:\/\/hub.invalid\/model: expected a response, got .*; are you offline\? A folder, a file or bytes/,
  );
});
