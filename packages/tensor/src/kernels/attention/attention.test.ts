import { expect, it } from "vitest";
import {
  type AttentionOptions,
  dispose,
  grad,
  mul,
  observeAttention,
  RandomGenerator,
  randomUniform,
  read,
  reshape,
  scaledDotProductAttention,
  sum,
  type Tensor,
  tensor,
  tidy,
  tile,
  zeros,
} from "../../index.js";
import {
  describeEachDevice,
  describeKernel,
  expectFixtureCase,
  expectNoLeak,
  type HostTensor,
  loadFixture,
  randomHostTensor,
} from "../../testing/index.js";
import { attentionKernel } from "./attention.js";

const fixture = await loadFixture(new URL("../../../fixtures/kernels.safetensors", import.meta.url));

describeEachDevice("scaledDotProductAttention", () => {
  it("equals PyTorch, second derivatives included", async () => {
    const plain = ["plain", "boolMask", "additiveMask", "infiniteMask"];
    for (const name of plain)
      await expectFixtureCase(fixture, `attention/${name}`, ([query, key, value, mask]) =>
        scaledDotProductAttention(query, key, value, mask === undefined ? {} : { mask }),
      );
    await expectFixtureCase(fixture, "attention/valueDim", ([query, key, value]) =>
      scaledDotProductAttention(query, key, value, { scale: 0.3 }),
    );
    for (const name of ["causal", "causalWide", "causalTall", "long"])
      await expectFixtureCase(fixture, `attention/${name}`, ([query, key, value]) =>
        scaledDotProductAttention(query, key, value, { isCausal: true }),
      );
  });

  it("gives 0 with a gradient of 0 for a query that may look at nothing", async () => {
    const x = tensor([
      [
        [
          [1, 2],
          [3, 4],
        ],
      ],
    ]);
    const other = tensor([
      [
        [
          [5, 6],
          [7, 9],
        ],
      ],
    ]);
    const mask = tensor([
      [false, false],
      [true, true],
    ]);
    const y = scaledDotProductAttention(x, other, other, { mask });
    const [dQuery] = grad((query) => sum(scaledDotProductAttention(query, other, other, { mask })), [x]);
    expect([...(await read(y))].slice(0, 2)).toEqual([0, 0]);
    expect([...(await read(dQuery))].slice(0, 2)).toEqual([0, 0]);
    for (const t of [x, other, mask, y, dQuery]) t.dispose();
  });

  it("lets heads of queries share keys and values: what copies of them give, with their gradients", async () => {
    const generator = new RandomGenerator(4);
    const draw = (shape: number[]) => randomUniform(shape, { min: -1, max: 1, generator });
    const [key, value] = [draw([2, 2, 5, 3]), draw([2, 2, 5, 4])];
    const visible = tensor([1, 1, 0, 1, 1, 0, 1, 1, 1, 0], [2, 1, 1, 5], "bool");
    const biases = draw([6, 1, 5]);
    const cases: [queries: number, options: () => AttentionOptions][] = [
      [1, () => ({})],
      [1, () => ({ mask: visible })],
      [1, () => ({ mask: biases })],
      [1, () => ({ dropoutProbability: 0.5, generator: new RandomGenerator(8) })],
      [3, () => ({ isCausal: true })],
    ];
    const copies = (x: Tensor) => {
      const [batch, heads, keys, dim] = x.shape as [number, number, number, number];
      return reshape(tile(reshape(x, [batch, heads, 1, keys, dim]), [1, 1, 3, 1, 1]), [batch, 6, keys, dim]);
    };
    for (const [queries, options] of cases) {
      const query = draw([2, 6, queries, 3]);
      const weights = draw([2, 6, queries, 4]);
      const shared = (q: Tensor, k: Tensor, v: Tensor) =>
        scaledDotProductAttention(q, k, v, { ...options(), groupedQueries: true });
      const copied = (q: Tensor, k: Tensor, v: Tensor) =>
        scaledDotProductAttention(q, copies(k), copies(v), options());
      const [actual, expected] = [shared, copied].map((attend) => [
        tidy(() => attend(query, key, value)),
        ...grad((q: Tensor, k: Tensor, v: Tensor) => sum(mul(attend(q, k, v), weights)), [query, key, value]),
      ]);
      for (const [index, tensor] of actual.entries())
        await expect(tensor).toBeCloseToTensor(expected[index]!, { absoluteScale: 2e-6 });
      dispose([query, weights, actual, expected]);
    }
    const one = draw([2, 6, 1, 3]);
    let shape: number[] = [];
    const y = observeAttention(
      ({ weights }) => {
        const seen = weights();
        shape = seen.shape;
        seen.dispose();
      },
      () => scaledDotProductAttention(one, key, value, { groupedQueries: true }),
    );
    expect(shape).toEqual([2, 6, 1, 5]);
    await expectNoLeak(() => scaledDotProductAttention(one, key, value, { groupedQueries: true }).dispose());
    expect(() => scaledDotProductAttention(one, key, value)).toThrow(/pass groupedQueries: true/);
    const four = zeros([2, 4, 5, 3]);
    expect(() => scaledDotProductAttention(one, four, four, { groupedQueries: true })).toThrow(
      /key of shape \[2, a divisor of 6, keys, 3\]/,
    );
    dispose([key, value, visible, biases, one, y, four]);
  });

  it("drops weights by its generator, the rest scaled up", async () => {
    const query = zeros([1, 1, 50, 2]);
    const value = tensor(new Float32Array(40).fill(1), [1, 1, 40, 1]);
    const key = zeros([1, 1, 40, 2]);
    const draw = async (seed: number): Promise<number[]> => {
      const generator = new RandomGenerator(seed);
      const y = scaledDotProductAttention(query, key, value, { dropoutProbability: 0.5, generator });
      const values = [...(await read(y))];
      y.dispose();
      return values;
    };
    const first = await draw(1);
    expect(first.reduce((a, b) => a + b, 0) / 50).toBeCloseTo(1, 1);
    expect(Math.min(...first)).toBeLessThan(1);
    expect(await draw(1)).toEqual(first);
    expect(await draw(2)).not.toEqual(first);
    for (const t of [query, key, value]) t.dispose();
  });

  it("leaks nothing and refuses what does not fit", async () => {
    const x = zeros([1, 2, 3, 4]);
    const other = zeros([1, 2, 3, 5]);
    const flat = zeros([3, 4]);
    const mask = zeros([3, 3], "bool", 1);
    const wide = zeros([2, 2, 3, 3]);
    await expectNoLeak(() => scaledDotProductAttention(x, x, x, { mask }).dispose());
    expect(() => scaledDotProductAttention(x, other, x)).toThrow(/key of shape \[1, 2, keys, 4\]/);
    expect(() => scaledDotProductAttention(x, x, flat)).toThrow(
      /value of shape \[batch, heads, length, headDim\]/,
    );
    expect(() => scaledDotProductAttention(x, x, x, { mask, isCausal: true })).toThrow(
      /mask or isCausal, got both/,
    );
    expect(() => scaledDotProductAttention(x, x, x, { mask: wide })).toThrow(/mask that broadcasts/);
    expect(() => scaledDotProductAttention(x, x, x, { dropoutProbability: 1 })).toThrow(/\[0, 1\)/);
    expect(() => scaledDotProductAttention(x, x, x, { scale: Number.NaN })).toThrow(/finite scale/);
    for (const t of [x, other, flat, mask, wide]) t.dispose();
  });
});

const inputs = (
  batch: number,
  heads: number,
  queries: number,
  keys: number,
  dim: number,
  contains: number[] = [],
) => ({
  query: randomHostTensor([batch, heads, queries, dim], { contains }),
  key: randomHostTensor([batch, heads, keys, dim], { stream: "key" }),
  value: randomHostTensor([batch, heads, keys, dim], { stream: "value" }),
});
/** A third dropped, the rest scaled up. */
const factors = (shape: number[]): HostTensor => ({
  shape,
  dtype: "float32",
  values: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, index) =>
    (index * 7) % 3 === 0 ? 0 : 1.5,
  ),
});
const mask: HostTensor = {
  shape: [2, 1, 1, 67],
  dtype: "bool",
  values: Uint8Array.from({ length: 134 }, (_, index) => (index < 67 && index % 3 !== 0 ? 1 : 0)), // second batch: nothing
};

describeKernel(attentionKernel, {
  "no queries": { inputs: inputs(1, 2, 0, 3, 4), attrs: { scale: 1, isCausal: false } },
  "no keys": { inputs: inputs(1, 2, 3, 0, 4), attrs: { scale: 1, isCausal: false } },
  "one of each": { inputs: inputs(1, 1, 1, 1, 1), attrs: { scale: 0.5, isCausal: true } },
  "odd sizes and NaN": {
    inputs: inputs(1, 2, 5, 7, 3, [Number.NaN]),
    attrs: { scale: 0.5, isCausal: false },
  },
  "more queries than a workgroup": { inputs: inputs(1, 1, 70, 70, 9), attrs: { scale: 0.3, isCausal: true } },
  "heads that are tasks, keys in several blocks, dropout": {
    inputs: {
      ...inputs(2, 5, 37, 133, 12),
      dropout: factors([2, 5, 37, 133]),
    },
    attrs: { scale: 0.3, isCausal: false },
    tolerance: { relative: 1e-4 }, // sums over the keys in another order
  },
  "blocks that are tasks, a learned bias, another value width": {
    inputs: {
      query: randomHostTensor([2, 2, 39, 6]),
      key: randomHostTensor([2, 2, 69, 6], { stream: "key" }),
      value: randomHostTensor([2, 2, 69, 17], { stream: "value" }),
      mask: randomHostTensor([2, 39, 69], { stream: "mask" }),
    },
    attrs: { scale: 0.4, isCausal: false },
    tolerance: { relative: 1e-4 },
  },
  "causal, more keys than queries see": {
    inputs: inputs(1, 9, 41, 80, 8),
    attrs: { scale: 0.3, isCausal: true },
    tolerance: { relative: 1e-4 },
  },
  "one query of a long row": {
    inputs: inputs(1, 3, 1, 200, 19),
    attrs: { scale: 0.3, isCausal: false },
    tolerance: { relative: 1e-4 },
  },
  "padding mask with an empty row": {
    inputs: { ...inputs(2, 2, 3, 67, 5), mask },
    attrs: { scale: 0.4, isCausal: false },
  },
});
