import { beforeAll, describe, expect, it } from "vitest";
import {
  cdist,
  concat,
  cosineSimilarity,
  type DiagonalOptions,
  diagEmbed,
  diagonal,
  dispose,
  fold,
  grad,
  meshgrid,
  mul,
  narrow,
  normalize,
  ones,
  pairwiseDistance,
  RandomGenerator,
  randomNormal,
  read,
  repeatInterleave,
  scatter,
  sum,
  type Tensor,
  tensor,
  tril,
  triu,
  type UnfoldOptions,
  unfold,
  useDevice,
  valueAndGrad,
  zeros,
} from "../index.js";
import { describeFixtureCases } from "../testing/describe-fixture-cases.js";
import { describeEachDevice, expectNoLeak, loadFixture } from "../testing/index.js";

const fixture = await loadFixture(new URL("../../fixtures/ops-more.safetensors", import.meta.url));

const DIAGONALS: Readonly<Record<string, object>> = {
  main: {},
  right: { diagonal: 2 },
  left: { diagonal: -1 },
  outside: { diagonal: 9 },
};
const COSINES: Readonly<Record<string, object>> = {
  last: {},
  axis: { axis: 1, epsilon: 2.5 },
  repeated: { epsilon: 9 },
  zero: {},
};
const DISTANCES: Readonly<Record<string, object>> = {
  last: {},
  one: { order: 1, keepDims: true },
  largest: { order: Number.POSITIVE_INFINITY },
  third: { order: 3, epsilon: 0.25 },
  equal: {},
};
const ALL_PAIRS: Readonly<Record<string, object>> = {
  few: {},
  largest: { order: Number.POSITIVE_INFINITY },
};
const REPEATS: Readonly<Record<string, [repeats: number | number[], options?: { axis: number }]>> = {
  all: [2],
  axis: [3, { axis: 1 }],
  each: [[2, 0, 1, 3], { axis: 1 }],
  none: [0, { axis: 0 }],
};
const DIAGONALS_OF: Readonly<Record<string, DiagonalOptions>> = {
  main: {},
  right: { offset: 2, axes: [-2, -1] },
  left: { offset: -1, axes: [2, 0] },
  outside: { offset: 9 },
};
const EMBEDDED: Readonly<Record<string, object>> = { main: {}, right: { offset: 2 }, left: { offset: -1 } };
const NORMALIZED: Readonly<Record<string, object>> = {
  last: {},
  axis: { order: 3, axis: 1 },
  zero: { epsilon: 1e-6 },
};
const BLOCKS: Readonly<Record<string, UnfoldOptions>> = {
  plain: { kernelSize: 2 },
  patches: { kernelSize: [5, 3], stride: [5, 3] },
  options: { kernelSize: [3, 2], dilation: [1, 3], padding: [2, 1], stride: [2, 1] },
};

describeFixtureCases("triangles, distances and blocks equal PyTorch's", fixture, {
  triu: ([x], kind) => triu(x, DIAGONALS[kind]),
  tril: ([x], kind) => tril(x, DIAGONALS[kind]),
  cosineSimilarity: ([a, b], kind) => cosineSimilarity(a, b, COSINES[kind]),
  pairwiseDistance: ([a, b], kind) => pairwiseDistance(a, b, DISTANCES[kind]),
  cdist: ([a, b], kind) => cdist(a, b, ALL_PAIRS[kind]),
  normalize: ([x], kind) => normalize(x, NORMALIZED[kind]),
  repeatInterleave: ([x], kind) => repeatInterleave(x, ...REPEATS[kind]),
  diagonal: ([x], kind) => diagonal(x, DIAGONALS_OF[kind]),
  diagEmbed: ([x], kind) => diagEmbed(x, EMBEDDED[kind]),
  meshgrid: (vectors, kind) => meshgrid(vectors, { indexing: kind as "ij" | "xy" }),
  scatter: ([x, indices, updates], kind) =>
    scatter(x, indices, kind === "number" ? 2.5 : updates, {
      axis: { updates: 1, rows: 0, number: -1 }[kind] as number,
    }),
  unfold: ([x], kind) => unfold(x, BLOCKS[kind]),
  fold: ([x], kind) => fold(x, { outputSize: [5, 6], ...BLOCKS[kind] }),
});

describeEachDevice("triangles, distances and blocks", () => {
  it("keep dtypes, integers beyond 2^24, and nothing of what they hide", async () => {
    const large = tensor(Int32Array.of(16777217, 16777219, 16777221, -16777223), [2, 2]);
    const flags = ones([2, 3], "bool");
    const hidden = tensor([1, Number.NaN, Number.POSITIVE_INFINITY, 4], [2, 2]);
    const results = [
      triu(large),
      triu(flags, { diagonal: 1 }),
      tril(hidden, { diagonal: -1 }),
      tril(zeros([2, 0])),
    ];
    expect(results.map(({ dtype }) => dtype)).toEqual(["int32", "bool", "float32", "float32"]);
    const values = await Promise.all(results.map(read));
    expect(values.map((list) => [...list].map(Number))).toEqual([
      [16777217, 16777219, 0, -16777223],
      [0, 1, 1, 0, 0, 1],
      [0, 0, Number.POSITIVE_INFINITY, 0],
      [],
    ]);
    dispose([large, flags, hidden, results]);
  });

  it("count lengths that overflow as PyTorch does, and integers as numbers", async () => {
    const huge = tensor([1e30, 1e30], [1, 2]);
    const [cosine, distance] = [
      cosineSimilarity(huge, huge),
      pairwiseDistance(ones([2], "int32"), ones([2])),
    ];
    expect([...(await read(cosine))]).toEqual([0]);
    expect((await read(distance))[0]).toBeCloseTo(Math.SQRT2 * 1e-6, 10);
    dispose([huge, cosine, distance]);
  });

  it("scatter gives the mean of several, whole numbers as they are, and hides nothing of the rest", async () => {
    const x = tensor([Number.NaN, 1, 2]);
    const indices = tensor([1, 1, 2], [3], "int32");
    const whole = scatter(zeros([3], "int32"), indices, tensor(Int32Array.of(2, 5, 16777217)), { axis: 0 });
    const mixed = scatter(x, indices, tensor([1, 2, 4]), { axis: 0 });
    expect([...(await read(whole))]).toEqual([0, 3, 16777217]);
    expect([...(await read(mixed))]).toEqual([Number.NaN, 1.5, 4]);
    dispose([x, indices, whole, mixed]);
  });

  it("leak nothing and refuse what does not fit", async () => {
    const x = ones([1, 3, 4, 2]);
    await expectNoLeak(() =>
      dispose([triu(x), cosineSimilarity(x, x), normalize(x), unfold(x, { kernelSize: 2 })]),
    );
    expect(() => triu(zeros([3]))).toThrow("triu: expected matrices [..., rows, columns], got [3]");
    expect(() => tril(x, { diagonal: 0.5 })).toThrow("tril: expected a whole diagonal, got 0.5");
    expect(() => triu(x, 1 as never)).toThrow("triu: expected options { diagonal }, got 1");
    expect(() => cosineSimilarity(x, zeros([3]))).toThrow(/cosineSimilarity: expected shapes that broadcast/);
    expect(() => cosineSimilarity(x, x, { axis: 4 })).toThrow(/axis in \[-4, 4\)/);
    expect(() => pairwiseDistance(x, x, { epsilon: -1 })).toThrow(/epsilon of at least 0, got -1/);
    expect(() => pairwiseDistance(x, x, { order: "fro" as never })).toThrow(/number as order, got fro/);
    expect(() => cdist(x, zeros([2, 3]))).toThrow(/cdist: expected rows .* got \[1, 3, 4, 2\] and \[2, 3\]/);
    expect(() => cdist(x, x, { order: -1 })).toThrow(/cdist: expected an order of at least 0, got -1/);
    expect(() => repeatInterleave(x, [1, 2], { axis: 1 })).toThrow(/repeats, or 3 of them, got \[1,2\]/);
    expect(() => repeatInterleave(x, -1)).toThrow(/whole number of repeats/);
    expect(() => diagonal(x, { axes: [1, -3] })).toThrow(/diagonal: expected two axes, got 1 twice/);
    expect(() => diagonal(zeros([3]))).toThrow(/diagonal: expected an axis in \[-1, 1\), got 1/);
    expect(() => diagEmbed(zeros([]))).toThrow(/diagEmbed: expected vectors/);
    expect(() => meshgrid([])).toThrow(/meshgrid: expected at least one vector/);
    expect(() => meshgrid([x])).toThrow(/expected vectors \[length\], got \[1, 3, 4, 2\]/);
    expect(() => scatter(x, zeros([1], "int32"), 1, { axis: 0 })).toThrow(
      /^scatter: expected indices of the/,
    );
    expect(() => scatter(x, zeros([1, 1, 1, 1], "int32"), 1, { axis: 4 })).toThrow(/^scatter: .*axis in/);
    expect(() => scatter(x, zeros([1, 1, 1, 1], "int32"), zeros([1, 1, 1, 1], "int32"), { axis: 0 })).toThrow(
      /scatter: expected two float32/,
    );
    expect(() => normalize(zeros([]))).toThrow(/normalize: expected an axis/);
    expect(() => unfold(x, { kernelSize: 4 })).toThrow(
      /unfold: expected an image of at least one block, got \[3, 4\]/,
    );
    expect(() => unfold(zeros([3, 4]), { kernelSize: 1 })).toThrow(
      /images \[batch, height, width, channels\]/,
    );
    const size = { outputSize: [3, 4], kernelSize: 2 };
    expect(() => fold(zeros([1, 6, 9]), size)).toThrow(
      /fold: expected \[batch, 6, channels · 4\].*got \[1, 6, 9\]/,
    );
    expect(() => fold(zeros([1, 5, 8]), size)).toThrow(/got \[1, 5, 8\]/);
    dispose(x);
  });
});

/** Distances to the first and the last 15 rows. */
function parts(rows: Tensor, others: Tensor): Tensor {
  const half = (start: number): Tensor => cdist(rows, narrow(others, { axis: 0, start, length: 15 }));
  return concat([half(0), half(15)], { axis: 1 });
}

describe("on one device", () => {
  beforeAll(() => useDevice("cpu"));

  it("distances of many rows, by a product, are those of few, with their gradient", async () => {
    const a = randomNormal([26, 8], { generator: new RandomGenerator(1) });
    const b = randomNormal([30, 8], { generator: new RandomGenerator(2) });
    const weights = randomNormal([26, 30], { generator: new RandomGenerator(3) });
    const [byProduct, byParts] = [
      () => cdist(a, b),
      () =>
        concat(
          [13, 13].map((count, half) => parts(narrow(a, { axis: 0, start: 13 * half, length: count }), b)),
          { axis: 0 },
        ),
    ].map((distances) => valueAndGrad(() => sum(mul(distances(), weights)), [a, b]));
    await expect(byProduct.value).toBeCloseToTensor(byParts.value);
    for (const [index, gradient] of byProduct.grads.entries())
      await expect(gradient).toBeCloseToTensor(byParts.grads[index]);
    dispose([a, b, weights, byProduct, byParts]);
  });

  it("distances of many rows have no gradient where rows are equal, and keep NaN", async () => {
    const rows = ones([27, 3]);
    const [gradient] = grad((x) => sum(cdist(x, rows)), [rows]);
    expect(new Set(await read(gradient))).toEqual(new Set([0]));
    const broken = tensor([Number.NaN, 0, 0], [1, 3]);
    const distances = cdist(broken, rows);
    expect([...(await read(distances))].every(Number.isNaN)).toBe(true);
    dispose([rows, gradient, broken, distances]);
  });
});
