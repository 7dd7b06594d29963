import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { DownloadError, InputError, openModelFiles, readSafetensors } from "../index.js";
import {
  downloadsOf,
  newRepositoryId,
  putRepository,
  requestsFor,
  TEST_COMMIT,
  testHubUrl,
  trueBytes,
} from "../testing/test-hub.js";
import type { OpenModelOptions } from "./open-model-files.js";

const isNode = typeof globalThis.process?.versions?.node === "string";
const LARGE = { size: 600_000, large: true };
const OTHER_COMMIT = "f".repeat(40);

/** How the tests of a kind of cache open the hub's models. */
let place: OpenModelOptions;
let folder = "";

beforeAll(async () => {
  if (isNode) {
    const { mkdtemp } = await import("node:fs/promises");
    const { tmpdir } = await import("node:os");
    folder = await mkdtemp(`${tmpdir()}/hub-`);
  }
});
afterAll(async () => {
  if (isNode) await (await import("node:fs/promises")).rm(folder, { recursive: true });
});

/** Vitest's own comparison takes seconds for so many bytes. */
function expectSame(bytes: Uint8Array, expected: Uint8Array): void {
  expect(bytes.byteLength).toBe(expected.byteLength);
  expect(bytes.findIndex((byte, index) => byte !== expected[index])).toBe(-1);
}

const KINDS = isNode ? (["disk"] as const) : (["opfs", "cache-storage"] as const);

describe.each(KINDS)("openModelFiles of a hub, kept in %s", (cache) => {
  beforeAll(() => {
    place = { endpoint: testHubUrl(), token: false, cache, ...(isNode ? { cacheFolder: folder } : {}) };
  });

  it("lists, downloads, checks and keeps files of one commit", async () => {
    const id = await putRepository({
      files: { "config.json": { text: "{}" }, "sub/model.bin": LARGE, empty: { text: "" } },
    });
    const files = await openModelFiles(id, place);
    expect(files.commit).toBe(TEST_COMMIT);
    expect((await files.list()).map(({ path, sizeBytes }) => [path, sizeBytes])).toEqual([
      ["config.json", 2],
      ["sub/model.bin", 600_000],
      ["empty", 0],
    ]);
    expect(await files.readText("config.json")).toBe("{}");
    expect(await files.read("empty")).toHaveLength(0);
    expectSame(await files.read("sub/model.bin"), await trueBytes(id, "sub/model.bin"));
    const source = await (await openModelFiles(id, { ...place, subfolder: "sub" })).open("model.bin");
    expect(await source.read(500_000, 500_010)).toEqual(
      (await trueBytes(id, "sub/model.bin")).slice(500_000, 500_010),
    );
    expect(await downloadsOf(id)).toHaveLength(1);
    const paths = (await requestsFor(id)).map(({ path }) => path);
    expect(paths.filter((path) => path.includes("resolve"))).toEqual([
      `/${id}/resolve/${TEST_COMMIT}/config.json`,
      `/${id}/resolve/${TEST_COMMIT}/sub/model.bin`,
    ]);
  });

  it("tells progress from the first byte to the last", async () => {
    const id = await putRepository({ files: { m: LARGE }, faults: [{ on: "cdn", slowMilliseconds: 40 }] });
    const told: number[] = [];
    let rate = 0;
    const files = await openModelFiles(id, {
      ...place,
      onProgress({ file, loadedBytes, totalBytes, bytesPerSecond, secondsLeft }) {
        expect([file, totalBytes]).toEqual(["m", 600_000]);
        if (loadedBytes > 0) expect(secondsLeft).toBeCloseTo((totalBytes - loadedBytes) / bytesPerSecond, 6);
        rate = bytesPerSecond;
        told.push(loadedBytes);
      },
    });
    await files.open("m");
    expect(told[0]).toBe(0);
    expect(told.at(-1)).toBe(600_000);
    expect(told.length).toBeGreaterThan(2);
    expect([...told].sort((a, b) => a - b)).toEqual(told);
    expect(rate).toBeGreaterThan(0);
  });

  it("sends the token to the hub and to no other host, and shows it in no error", async () => {
    const token = "hf_averysecrettoken";
    const id = await putRepository({ files: { m: LARGE, small: { text: "x" } }, token });
    const files = await openModelFiles(id, { ...place, token });
    expectSame(await files.read("m"), await trueBytes(id, "m"));
    await files.open("small");
    for (const { server, authorization } of await requestsFor(id))
      expect(authorization).toBe(server === "hub" ? `Bearer ${token}` : undefined);
    const refused = await openModelFiles(id, place).catch((error) => error);
    expect(refused).toBeInstanceOf(DownloadError);
    expect(refused.status).toBe(401);
    expect(refused.message).toMatch(/got 401; .*needs a token/);
    await putRepository({ files: { n: LARGE }, token, faults: [{ on: "cdn", times: 9, status: 403 }] }, id);
    const error = await (await openModelFiles(id, { ...place, token, revision: TEST_COMMIT }))
      .open("n")
      .catch((reason) => reason);
    // the listing that is kept does not know the new file: what is not there is said, with nothing secret
    expect(String(error)).not.toContain(token);
    const wrong = await openModelFiles(id, { ...place, token: "hf_wrong token" }).catch((reason) => reason);
    expect(wrong).toBeInstanceOf(InputError);
    expect(wrong.message).not.toContain("wrong");
    expect(JSON.stringify(files)).not.toContain(token);
  });

  it("names file, status and what to do when something is not there", async () => {
    const id = await putRepository({ files: { a: { text: "1" }, b: LARGE } });
    await expect(openModelFiles(newRepositoryId(), place)).rejects.toThrow(/got 401; check the name/);
    await expect(openModelFiles(id, { ...place, revision: "v9" })).rejects.toThrow(/no such revision/);
    const files = await openModelFiles(id, place);
    const missing = await files.open("c").catch((error) => error);
    expect(missing).toBeInstanceOf(DownloadError);
    expect([missing.file, missing.status]).toEqual(["c", 404]);
    expect(missing.message).toMatch(/there are a, b/);
    await putRepository({ files: { b: LARGE }, faults: [{ on: "cdn", status: 403 }] }, id);
    const refused = await files.open("b").catch((error) => error);
    expect([refused.name, refused.file, refused.status]).toEqual(["DownloadError", "b", 403]);
    expect(refused.message).toMatch(/accept its conditions at/);
    expect(refused.message).not.toContain("signature");
  });

  it("waits as 429 asks, and tries again on 5xx and lost connections", async () => {
    const id = await putRepository({
      files: { m: LARGE },
      faults: [
        { on: "info", status: 429, headers: { "retry-after": "0.3" } },
        { on: "info", isDropped: true },
        { on: "file", status: 503, headers: { "retry-after": "0" } },
        { on: "cdn", status: 500, headers: { "retry-after": "0" } },
      ],
    });
    const started = performance.now();
    const files = await openModelFiles(id, place);
    expect(performance.now() - started).toBeGreaterThan(300);
    expectSame(await files.read("m"), await trueBytes(id, "m"));
    await putRepository(
      { files: {}, faults: [{ on: "info", status: 429, headers: { "retry-after": "3600" } }] },
      id,
    );
    const other = newRepositoryId();
    await putRepository(
      { files: {}, faults: [{ on: "info", status: 429, headers: { "retry-after": "3600" } }] },
      other,
    );
    await expect(openModelFiles(other, place)).rejects.toThrow(/got 429; .*asks to wait 3600 seconds/);
  });

  it("goes on where a body broke off", async () => {
    const id = await putRepository({
      files: { m: LARGE },
      faults: [
        { on: "cdn", truncateAt: 200_000, lingerMilliseconds: 1500 },
        { on: "cdn", status: 503, headers: { "retry-after": "0" } },
        { on: "cdn", truncateAt: 100_000, lingerMilliseconds: 1500 },
      ],
    });
    const files = await openModelFiles(id, place);
    expectSame(await files.read("m"), await trueBytes(id, "m"));
    const ranges = (await downloadsOf(id)).map(({ range }) => Number(/\d+/.exec(range ?? "0")![0]));
    expect(ranges).toHaveLength(4);
    expect(ranges[1]).toBeGreaterThan(0);
    expect(ranges[3]).toBeGreaterThan(ranges[1]);
  });

  it("takes the whole again from a server that ignores ranges, and after 416", async () => {
    const id = await putRepository({
      files: { m: LARGE, n: { ...LARGE, seed: 2 } },
      faults: [
        { on: "cdn", file: "m", truncateAt: 200_000 },
        { on: "cdn", file: "m", ignoreRange: true },
        { on: "cdn", file: "n", truncateAt: 200_000 },
        { on: "cdn", file: "n", status: 416 },
      ],
    });
    const files = await openModelFiles(id, place);
    for (const file of ["m", "n"]) expectSame(await files.read(file), await trueBytes(id, file));
  });

  it("refuses bytes with the wrong checksum and leaves nothing of them", async () => {
    const corrupt = { on: "cdn", corruptAt: 1000 } as const;
    const id = await putRepository({ files: { m: LARGE }, faults: [corrupt] });
    const files = await openModelFiles(id, place);
    expectSame(await files.read("m"), await trueBytes(id, "m"));
    const other = await putRepository({
      files: { m: LARGE, small: { text: "abc" } },
      faults: [
        { ...corrupt, times: 2 },
        { on: "file", file: "small", corruptAt: 1, times: 2 },
      ],
    });
    const others = await openModelFiles(other, place);
    const error = await others.open("m").catch((reason) => reason);
    expect(error).toBeInstanceOf(DownloadError);
    expect(error.message).toMatch(/m: expected sha256 [0-9a-f]{64}, got [0-9a-f]{64} from .*try again/);
    await expect(others.open("small")).rejects.toThrow(/small: expected git-sha1/);
    expectSame(await others.read("m"), await trueBytes(other, "m"));
    expect((await downloadsOf(other)).map(({ range }) => range)).toEqual([undefined, undefined, undefined]);
    expect(await others.readText("small")).toBe("abc");
  });

  it("begins anew when the file changes in mid-download, and refuses one that is too long", async () => {
    const id = await putRepository({
      files: { m: LARGE },
      faults: [
        { on: "cdn", truncateAt: 200_000, lingerMilliseconds: 1500 },
        { on: "cdn", headers: { etag: '"another"' } },
      ],
    });
    const files = await openModelFiles(id, place);
    expectSame(await files.read("m"), await trueBytes(id, "m"));
    expect((await downloadsOf(id)).map(({ range }) => range === undefined)).toEqual([true, false, true]);
    const longer = await putRepository({
      files: { m: LARGE },
      faults: [{ on: "cdn", extraBytes: 9, times: 2 }],
    });
    await expect((await openModelFiles(longer, place)).open("m")).rejects.toThrow(
      /more than its 600000 bytes/,
    );
  });

  it("stops at an abort, keeps what came, and goes on from there", async () => {
    const id = await putRepository({ files: { m: LARGE }, faults: [{ on: "cdn", trickleAt: 300_000 }] });
    const files = await openModelFiles(id, place);
    const controller = new AbortController();
    const opening = files.open("m", {
      signal: controller.signal,
      onProgress: ({ loadedBytes }) => {
        if (loadedBytes > 200_000) controller.abort(new Error("enough"));
      },
    });
    await expect(opening).rejects.toThrow("enough");
    expectSame(await files.read("m"), await trueBytes(id, "m"));
    expect((await downloadsOf(id))[1].range).toMatch(/^bytes=[2-9]\d{5}-$/);
    await expect(files.open("m", { signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow("no");
    await expect(openModelFiles(id, { signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow("no");
  });

  it("downloads once for all who ask at the same time", async () => {
    const id = await putRepository({ files: { m: LARGE }, faults: [{ on: "cdn", slowMilliseconds: 20 }] });
    const all = await Promise.all([1, 2, 3].map(async () => (await openModelFiles(id, place)).read("m")));
    for (const bytes of all) expectSame(bytes, await trueBytes(id, "m"));
    expect(await downloadsOf(id)).toHaveLength(1);
  });

  it("refuses names that lead out of the folder, from a hub and from a caller", async () => {
    for (const rfilename of ["../x", "/etc/passwd", "a/../../x", "a\\..\\x", "C:/x", "", "a//b", "x\u0000"]) {
      const id = await putRepository({
        files: {},
        siblings: [{ rfilename, size: 1, blobId: "0".repeat(40) }],
      });
      await expect(openModelFiles(id, place)).rejects.toThrow(/file name .*refused/);
    }
    const files = await openModelFiles(await putRepository({ files: { a: { text: "1" } } }), place);
    for (const name of ["../a", "/a", "..", "b/../../a", "a\\b"])
      await expect(files.open(name)).rejects.toThrow(InputError);
    await expect(openModelFiles("a/b", { ...place, revision: "../../x" })).rejects.toThrow(/revision/);
    await expect(openModelFiles("a/b", { ...place, subfolder: "../x" })).rejects.toThrow(/subfolder/);
    for (const body of ["[]", "{", '{"sha":"main","siblings":[]}', `{"sha":"${TEST_COMMIT}"}`]) {
      const id = await putRepository({ files: {}, faults: [{ on: "info", body }] });
      await expect(openModelFiles(id, place)).rejects.toThrow(/expected what a hub says of a model/);
    }
  });

  it("works offline with what it has, and says what it has not", async () => {
    const id = await putRepository({
      files: { a: { text: "first" }, b: { text: "second" } },
      revisions: { v1: OTHER_COMMIT },
    });
    await (await openModelFiles(id, place)).download({ files: ["a"] });
    const before = (await requestsFor(id)).length;
    const files = await openModelFiles(id, { ...place, offline: true });
    expect(await files.readText("a")).toBe("first");
    expect((await files.list()).map(({ path }) => path)).toEqual(["a", "b"]);
    await expect(files.open("b")).rejects.toThrow(/b: expected the file in the cache, since offline is set/);
    await expect(openModelFiles(id, { ...place, offline: true, revision: "v1" })).rejects.toThrow(
      /expected revision v1 in the cache/,
    );
    // a whole commit that is here needs no network either
    const pinned = await openModelFiles(id, { ...place, revision: TEST_COMMIT });
    expect(await pinned.readText("a")).toBe("first");
    expect(await requestsFor(id)).toHaveLength(before);
  });

  it("uses the cache, with a warning, when the hub is down", async () => {
    const id = await putRepository({ files: { a: { text: "kept" } } });
    await (await openModelFiles(id, place)).download();
    await putRepository(
      { files: {}, faults: [{ on: "info", times: 9, status: 503, headers: { "retry-after": "0" } }] },
      id,
    );
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    expect(await (await openModelFiles(id, place)).readText("a")).toBe("kept");
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0][0]).toMatch(/got 503.*Using .* at 01234567/);
    warn.mockRestore();
  });

  it("asks for headers where the listing has no checksums", async () => {
    const id = await putRepository({ files: { a: { text: "small" } }, hasNoDetails: true });
    const files = await openModelFiles(id, place);
    expect(await files.readText("a")).toBe("small");
    expect((await requestsFor(id)).map(({ method }) => method)).toEqual(["GET", "HEAD", "GET"]);
  });

  it("reads a sharded model", async () => {
    const id = await putRepository({
      files: {
        "model.safetensors.index.json": {
          text: JSON.stringify({ weight_map: { x: "model-00001-of-00001.safetensors" } }),
        },
        "model-00001-of-00001.safetensors": {
          text: `H\0\0\0\0\0\0\0${'{"x":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}'.padEnd(72)}abc`,
        },
      },
    });
    const files = await openModelFiles(id, place);
    const weights = await readSafetensors(await files.open("model.safetensors.index.json"));
    expect((await weights.host("x")).values).toEqual(Int32Array.of(97, 98, 99));
  });

  it("takes revision, tag and branch; a new commit of a branch brings its files", async () => {
    const id = await putRepository({ files: { a: { text: "old" } } });
    expect(await (await openModelFiles(id, place)).readText("a")).toBe("old");
    await putRepository(
      { commit: OTHER_COMMIT, files: { a: { text: "new" } }, revisions: { "refs/pr/1": OTHER_COMMIT } },
      id,
    );
    const files = await openModelFiles(id, place);
    expect([files.commit, await files.readText("a")]).toEqual([OTHER_COMMIT, "new"]);
    expect((await openModelFiles(id, { ...place, revision: "refs/pr/1" })).commit).toBe(OTHER_COMMIT);
    expect(await (await openModelFiles(id, { ...place, revision: TEST_COMMIT })).readText("a")).toBe("old");
  });
});

describe("openModelFiles without a cache", () => {
  it("reads ranges of the hub's files", async () => {
    const token = "hf_another";
    const id = await putRepository({ files: { m: LARGE }, token });
    const files = await openModelFiles(id, { endpoint: testHubUrl(), token, cache: "none" });
    const source = await files.open("m");
    const all = await trueBytes(id, "m");
    expect(source.size).toBe(600_000);
    expect(await source.read(599_990, 600_000)).toEqual(all.slice(599_990));
    expect((await downloadsOf(id)).map(({ range }) => range)).toEqual([
      "bytes=0-65535",
      "bytes=599990-599999",
    ]);
    for (const { authorization } of await downloadsOf(id)) expect(authorization).toBeUndefined();
    await expect(openModelFiles(id, { cache: "none", offline: true })).rejects.toThrow(InputError);
  });

  it("reads the files below a URL", async () => {
    const id = await putRepository({ files: { "a b.json": { text: "[1]" } } });
    const files = await openModelFiles(`${testHubUrl()}/${id}/resolve/main?x=secret`);
    expect(await files.readText("a b.json")).toBe("[1]");
    expect(files.name).not.toContain("secret");
    expect((await requestsFor(id))[0].path).toContain("?x=secret");
    await expect(files.list()).rejects.toThrow(/open the files by name/);
    const error = await files.open("none").catch((reason) => reason);
    expect(error).toBeInstanceOf(DownloadError);
    expect(error.message).not.toContain("secret");
    await expect(
      openModelFiles("https://user:pass@example.invalid/m").then((m) => m.open("x")),
    ).rejects.toThrow(/without user and password/);
  });
});
