import { InputError, RandomGenerator, WeightsError, writeSafetensors } from "@ai/tensor";
import { expect, it } from "vitest";
import { SimilarityIndex } from "./similarity-index.js";

const DIM = 7;
const generator = new RandomGenerator(4);
const randomVector = (): number[] => Array.from({ length: DIM }, () => generator.uniform() * 2 - 1);
const vectors = Array.from({ length: 500 }, randomVector);
const cosine = (a: readonly number[], b: readonly number[]): number => {
  const dot = (x: readonly number[], y: readonly number[]) => x.reduce((sum, v, at) => sum + v * y[at], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};

function filled(): SimilarityIndex<{ name: string }> {
  const index = new SimilarityIndex<{ name: string }>({ dim: DIM });
  vectors.forEach((vector, at) => {
    expect(index.add(vector, { name: `v${at}` })).toBe(at);
  });
  return index;
}

it("finds exactly the nearest by cosine, best first, for any number of them", () => {
  const index = filled();
  for (const topK of [1, 5, 120, 1000]) {
    const query = randomVector();
    const expected = vectors
      .map((vector, id) => ({ id, score: cosine(vector, query) }))
      .sort((a, b) => b.score - a.score)
      .slice(0, topK);
    const found = index.search(query, { topK });
    expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
    found.forEach(({ score, payload, id }, at) => {
      expect(score).toBeCloseTo(expected[at].score, 6);
      expect(payload.name).toBe(`v${id}`);
    });
  }
  const query = vectors[3].map((value) => value * 9);
  expect(index.search(query)).toHaveLength(10);
  const [self, next] = index.search(query, { topK: 2 });
  expect(self).toMatchObject({ id: 3, payload: { name: "v3" } });
  expect(self.score).toBeCloseTo(1, 6);
  expect(index.search(query, { threshold: (self.score + next.score) / 2 })).toEqual([self]);
  expect(index.search(query, { topK: 1, filter: ({ name }) => name !== "v3" })).toEqual([next]);
});

it("forgets what was removed, and gives no number twice", () => {
  const index = filled();
  for (let id = 0; id < 500; id += 2) expect(index.remove(id)).toBe(true);
  expect(index.remove(0)).toBe(false);
  expect(index.size).toBe(250);
  expect(index.get(2)).toBeUndefined();
  expect(index.get(499)?.payload).toEqual({ name: "v499" });
  expect(index.entries().map(([id]) => id)).toEqual(Array.from({ length: 250 }, (_, at) => 2 * at + 1));
  expect(index.search(vectors[7], { topK: 1 })[0].id).toBe(7);
  expect(index.search(vectors[8], { topK: 500 }).every(({ id }) => id % 2 === 1)).toBe(true);
  expect(index.add(vectors[8], { name: "again" })).toBe(500);
  expect(index.search(vectors[8], { topK: 1 })[0].payload).toEqual({ name: "again" });
});

it("puts equal ones in the order of adding, and knows nothing like zeros", () => {
  const index = new SimilarityIndex<number>({ dim: 2 });
  for (let at = 0; at < 300; at++) index.add([1, 1], at);
  index.remove(0);
  expect(index.search([2, 2], { topK: 3 }).map(({ payload }) => payload)).toEqual([1, 2, 3]);
  expect(index.search([0, 0], { topK: 1 })[0].score).toBe(0);
  expect(new SimilarityIndex({ dim: 2 }).search([1, 2])).toEqual([]);
});

it("comes back from its bytes as it was, also without entries", async () => {
  const index = filled();
  for (const id of [0, 5, 499]) index.remove(id);
  index.about = { model: "a", numbers: [1, 2] };
  for (const source of [await index.toBytes(), new Blob([(await index.toBytes()) as BlobPart])]) {
    const again = await SimilarityIndex.load<{ name: string }>(source);
    expect(again.entries()).toEqual(index.entries());
    expect(again.about).toEqual(index.about);
    expect(again.search(vectors[20], { topK: 600 })).toEqual(index.search(vectors[20], { topK: 600 }));
    expect(again.add(vectors[0], { name: "ñ" })).toBe(500);
    again.remove(1);
    expect(await again.toBytes().then((bytes) => SimilarityIndex.load(bytes))).toMatchObject({ size: 497 });
  }
  const empty = await SimilarityIndex.load(await new SimilarityIndex({ dim: 3 }).toBytes());
  expect([empty.size, empty.dim]).toEqual([0, 3]);
  const reason = new Error("enough");
  await expect(index.toBytes({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  await expect(
    SimilarityIndex.load(await index.toBytes(), { signal: AbortSignal.abort(reason) }),
  ).rejects.toBe(reason);
});

it("refuses what is no vector, no JSON, no option and no index", async () => {
  const index = filled();
  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;
  const wrong: (() => unknown)[] = [
    () => new SimilarityIndex({ dim: 0 }),
    () => new SimilarityIndex({} as { dim: number }),
    () => index.add([1, 2], { name: "" }),
    () => index.add(undefined as never, { name: "" }),
    () => index.add([...vectors[0].slice(1), Number.NaN], { name: "" }),
    () => index.add(vectors[0], (() => 1) as never),
    () => index.add(vectors[0], cyclic as never),
    () => index.search([1]),
    () => index.search(vectors[0], { topK: 0 }),
    () => index.search(vectors[0], { threshold: 2 }),
    () => index.search(vectors[0], { top: 2 } as never),
    () => index.search(vectors[0], { filter: 1 as never }),
  ];
  for (const run of wrong) expect(run).toThrow(InputError);
  expect(index.size).toBe(500);

  const float = (shape: number[]) =>
    ({ dtype: "float32", shape, values: new Float32Array(shape.reduce((a, b) => a * b)) }) as const;
  const ids = { dtype: "int32", shape: [2], values: Int32Array.of(0, 0) } as const;
  const payloads = (text: string) => {
    const bytes = new TextEncoder().encode(text);
    return { dtype: "U8", shape: [bytes.length], bytes } as const;
  };
  const metadata = { format: "ai-similarity-index", version: "1", next_id: "2", about: "null" };
  const files: [Parameters<typeof writeSafetensors>[0], Record<string, string>][] = [
    [{ vectors: float([2, 3]) }, {}],
    [{ vectors: float([2, 3]) }, metadata],
    [{ vectors: float([2]), ids, payloads: payloads("[1,2]") }, metadata],
    [{ vectors: float([2, 3]), ids, payloads: payloads("[1,2]") }, metadata],
    [{ vectors: float([2, 3]), ids, payloads: payloads("[1]") }, metadata],
    [{ vectors: float([2, 3]), ids, payloads: payloads("[1,") }, metadata],
  ];
  const twoIds = { ...ids, values: Int32Array.of(0, 1) };
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 2]) {
    const stored = { ...float([2, 3]), values: Float32Array.of(0, 0, 1, 0, value, 0) };
    files.push([{ vectors: stored, ids: twoIds, payloads: payloads("[1,2]") }, metadata]);
  }
  for (const [tensors, written] of files)
    await expect(
      SimilarityIndex.load(await writeSafetensors(tensors, { metadata: written })),
    ).rejects.toThrow(WeightsError);
});
