import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { InputError, listModelCache, openModelFiles, pruneModelCache } from "../index.js";
import { putRepository, TEST_COMMIT, testHubUrl } from "../testing/test-hub.js";
import type { CacheOptions } from "./hub/settings.js";

const isNode = typeof globalThis.process?.versions?.node === "string";
const NEW_COMMIT = "a".repeat(40);
const KINDS = isNode ? (["disk"] as const) : (["opfs", "cache-storage"] as const);

describe.each(KINDS)("the cache in %s", (cache) => {
  let place: CacheOptions;

  beforeEach(async () => {
    place = { cache };
    if (isNode) {
      const { mkdtemp } = await import("node:fs/promises");
      const { tmpdir } = await import("node:os");
      place = { cache, cacheFolder: await mkdtemp(`${tmpdir()}/cache-`) };
    } else {
      // other files' tests share the storage of the page
      const models = (await listModelCache(place)).map(({ id }) => id);
      if (models.length > 0) await pruneModelCache({ ...place, models });
    }
  });
  afterEach(async () => {
    if (isNode) await (await import("node:fs/promises")).rm(place.cacheFolder!, { recursive: true });
  });

  /** A model with two commits that share a file. */
  async function twoCommits(): Promise<string> {
    const options = { ...place, endpoint: testHubUrl(), token: false } as const;
    const shared = { text: "shared" };
    const id = await putRepository({ files: { shared, "x/a": { text: "old!" } } });
    await (await openModelFiles(id, options)).download();
    await putRepository({ commit: NEW_COMMIT, files: { shared, "x/a": { text: "newer" } } }, id);
    await (await openModelFiles(id, options)).download();
    return id;
  }

  it("is listed by model, commit and file", async () => {
    expect(await listModelCache(place)).toEqual([]);
    const id = await twoCommits();
    expect(await listModelCache(place)).toEqual([
      {
        id,
        sizeBytes: 15,
        incompleteBytes: 0,
        revisions: [
          {
            commit: TEST_COMMIT,
            refs: [],
            sizeBytes: 10,
            files: [
              { path: "shared", sizeBytes: 6 },
              { path: "x/a", sizeBytes: 4 },
            ],
          },
          {
            commit: NEW_COMMIT,
            refs: ["main"],
            sizeBytes: 11,
            files: [
              { path: "shared", sizeBytes: 6 },
              { path: "x/a", sizeBytes: 5 },
            ],
          },
        ],
      },
    ]);
  });

  it("loses commits without a name, and keeps what others share", async () => {
    const id = await twoCommits();
    const expected = { freedBytes: 4, revisions: [{ id, commit: TEST_COMMIT }] };
    expect(await pruneModelCache({ ...place, detached: true, dryRun: true })).toEqual(expected);
    expect((await listModelCache(place))[0].revisions).toHaveLength(2);
    expect(await pruneModelCache({ ...place, detached: true })).toEqual(expected);
    const [model] = await listModelCache(place);
    expect([model.sizeBytes, model.revisions.map(({ commit }) => commit)]).toEqual([11, [NEW_COMMIT]]);
    const files = await openModelFiles(id, { ...place, offline: true });
    expect([await files.readText("shared"), await files.readText("x/a")]).toEqual(["shared", "newer"]);
  });

  it("loses named commits and whole models", async () => {
    const id = await twoCommits();
    expect((await pruneModelCache({ ...place, revisions: [NEW_COMMIT] })).freedBytes).toBe(5);
    await expect(openModelFiles(id, { ...place, offline: true })).rejects.toThrow(
      /revision main in the cache/,
    );
    const other = await twoCommits();
    expect((await pruneModelCache({ ...place, models: [id] })).freedBytes).toBe(10);
    expect((await listModelCache(place)).map((model) => model.id)).toEqual([other]);
    expect((await pruneModelCache({ ...place, models: [other] })).freedBytes).toBe(15);
    expect(await listModelCache(place)).toEqual([]);
    if (isNode)
      expect((await (await import("node:fs/promises")).readdir(place.cacheFolder!)).sort()).toEqual([
        ".locks",
        "CACHEDIR.TAG",
      ]);
  });

  it("loses interrupted downloads", async () => {
    const id = await putRepository({
      files: { m: { size: 500_000, large: true } },
      faults: [{ on: "cdn", trickleAt: 200_000 }],
    });
    const controller = new AbortController();
    const files = await openModelFiles(id, { ...place, endpoint: testHubUrl(), token: false });
    const opening = files.open("m", {
      signal: controller.signal,
      onProgress: ({ loadedBytes }) => {
        if (loadedBytes > 100_000) controller.abort(new Error("enough"));
      },
    });
    await expect(opening).rejects.toThrow("enough");
    const [{ incompleteBytes }] = await listModelCache(place);
    expect(incompleteBytes).toBeGreaterThan(100_000);
    expect(await pruneModelCache({ ...place, incomplete: true })).toEqual({
      freedBytes: incompleteBytes,
      revisions: [],
    });
    expect((await listModelCache(place)).every((model) => model.incompleteBytes === 0)).toBe(true);
  });

  it("refuses to prune what is not named, or not there", async () => {
    await expect(pruneModelCache(place)).rejects.toThrow(/say what to remove/);
    await expect(pruneModelCache({ ...place, models: ["no/such"] })).rejects.toThrow(/models of the cache/);
    await expect(pruneModelCache({ ...place, revisions: ["main"] })).rejects.toThrow(/whole commits/);
    await expect(pruneModelCache({ ...place, models: "no/such" } as never)).rejects.toThrow(InputError);
    await expect(listModelCache({ cacheFoldr: "x" } as never)).rejects.toThrow(/cacheFoldr/);
    await expect(listModelCache({ cache: "none" })).rejects.toThrow(/listModelCache: expected a cache/);
  });
});
