import { expect, it } from "vitest";
import * as ops from "../../../index.js";
import { read, type Tensor, tensor, tidy } from "../../../index.js";
import { describeEachDevice } from "../../../testing/index.js";

const int = (values: readonly number[], shape?: number[]): Tensor =>
  tensor(Int32Array.from(values), shape, "int32");

/** What `compute` gives, with every tensor freed. */
async function valuesOf(compute: () => Tensor): Promise<number[]> {
  const result = tidy(compute);
  const values = [...(await read(result))];
  result.dispose();
  return values;
}

const NAN = Number.NaN;
const INF = Number.POSITIVE_INFINITY;
/** Odd integers that float32 does not hold. */
const BIG = [16777217, -16777219, 2147483647, -2147483648, 1234567891];

describeEachDevice("ops that tfjs's WebGPU backend has wrong", () => {
  it("keeps int32 exact element by element", async () => {
    const one = (compute: (x: Tensor) => Tensor): Promise<number[]> => valuesOf(() => compute(int(BIG)));
    expect(await one((x) => ops.add(x, 2))).toEqual(BIG.map((x) => (x + 2) | 0));
    expect(await one((x) => ops.sub(x, 3))).toEqual(BIG.map((x) => (x - 3) | 0));
    expect(await one((x) => ops.mul(x, 3))).toEqual(BIG.map((x) => Math.imul(x, 3)));
    expect(await one((x) => ops.floorDivide(x, -7))).toEqual(BIG.map((x) => Math.floor(x / -7)));
    expect(await one((x) => ops.remainder(x, -7))).toEqual(BIG.map((x) => x - Math.floor(x / -7) * -7));
    expect(await one((x) => ops.neg(x))).toEqual(BIG.map((x) => -x | 0));
    expect(await one((x) => ops.square(x))).toEqual(BIG.map((x) => Math.imul(x, x)));
    expect(await one((x) => ops.abs(x))).toEqual(BIG.map((x) => Math.abs(x) | 0));
    expect(await one((x) => ops.maximum(x, 16777216))).toEqual(BIG.map((x) => Math.max(x, 16777216)));
    expect(await one((x) => ops.equal(x, 16777217))).toEqual([1, 0, 0, 0, 0]);
    expect(await one((x) => ops.greater(x, 16777216))).toEqual([1, 0, 1, 0, 1]);
    expect(await one((x) => ops.where(ops.greater(x, 0), x, 16777219))).toEqual([
      16777217, 16777219, 2147483647, 16777219, 1234567891,
    ]);
    expect(await one((x) => ops.floorDivide(x, 0))).toEqual([0, 0, 0, 0, 0]);
  });

  it("keeps int32 exact in reductions and scans", async () => {
    expect(await valuesOf(() => ops.sum(int(BIG)))).toEqual([BIG.reduce((a, b) => (a + b) | 0)]);
    expect(await valuesOf(() => ops.prod(int(BIG)))).toEqual([BIG.reduce(Math.imul)]);
    expect(await valuesOf(() => ops.max(int(BIG)))).toEqual([2147483647]);
    expect(await valuesOf(() => ops.min(int(BIG)))).toEqual([-2147483648]);
    expect(await valuesOf(() => ops.cumsum(int([16777217, 1, 1]), { axis: 0 }))).toEqual([
      16777217, 16777218, 16777219,
    ]);
    expect(await valuesOf(() => ops.argMax(int([16777216, 16777217, 16777217]), { axis: 0 }))).toEqual([1]);
  });

  it("keeps int32 and bool exact when moving data, at any rank", async () => {
    const x = int([16777217, 16777219, 16777221, 16777223, 16777225, 16777227], [2, 3]);
    const values = [...(await read(x))];
    expect(await valuesOf(() => ops.transpose(x))).toEqual([0, 3, 1, 4, 2, 5].map((i) => values[i]));
    expect(await valuesOf(() => ops.flip(x, { axes: 1 }))).toEqual([2, 1, 0, 5, 4, 3].map((i) => values[i]));
    expect(await valuesOf(() => ops.tile(x, [1, 2]))).toEqual(
      [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5].map((i) => values[i]),
    );
    expect(await valuesOf(() => ops.slice(x, [0, 1], [2, 2]))).toEqual([1, 2, 4, 5].map((i) => values[i]));
    expect(await valuesOf(() => ops.broadcastTo(ops.slice(x, [0, 0], [1, 3]), [2, 3]))).toEqual(
      [0, 1, 2, 0, 1, 2].map((i) => values[i]),
    );
    expect(await valuesOf(() => ops.concat([x, x], { axis: 1 }))).toEqual(
      [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5].map((i) => values[i]),
    );
    expect(await valuesOf(() => ops.split(x, 3, { axis: 1 })[1])).toEqual([1, 4].map((i) => values[i]));
    expect(
      await valuesOf(() =>
        ops.pad(
          x,
          [
            [0, 0],
            [1, 0],
          ],
          { value: 16777229 },
        ),
      ),
    ).toEqual([16777229, ...values.slice(0, 3), 16777229, ...values.slice(3)]);
    const deep = ops.reshape(x, [1, 2, 1, 3, 1, 1, 1]);
    expect(await valuesOf(() => ops.transpose(deep, [3, 0, 2, 1, 6, 5, 4]))).toEqual(
      [0, 3, 1, 4, 2, 5].map((i) => values[i]),
    );
    expect(
      await valuesOf(() =>
        ops.pad(deep, [
          [0, 0],
          [1, 0],
          [0, 0],
          [0, 1],
          [0, 0],
          [0, 0],
          [0, 0],
        ]),
      ),
    ).toEqual([0, 0, 0, 0, ...values.slice(0, 3), 0, ...values.slice(3), 0]);
    expect(await valuesOf(() => ops.add(deep, deep))).toEqual(values.map((value) => 2 * value));
    const truth = tensor([true, false, true, true]);
    expect(await valuesOf(() => ops.flip(truth))).toEqual([1, 1, 0, 1]);
    truth.dispose();
    deep.dispose();
    x.dispose();
  });

  it("scans backwards at every length, along any axis", async () => {
    for (const length of [4, 5, 70, 1]) {
      const expected = Array.from({ length }, (_, i) => ((length - i) * (length - i + 1)) / 2);
      const x = ops.arange(length, 0, -1, "float32");
      expect(await valuesOf(() => ops.cumsum(x, { axis: 0, reverse: true }))).toEqual(expected);
      x.dispose();
    }
    const columns = tensor([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(await valuesOf(() => ops.cumprod(columns, { axis: 0, exclusive: true }))).toEqual([
      1, 1, 1, 2, 3, 8,
    ]);
    expect(await valuesOf(() => ops.cumsum(columns, { axis: 0, exclusive: true, reverse: true }))).toEqual([
      8, 10, 5, 6, 0, 0,
    ]);
    columns.dispose();
  });

  it("reduces rows, columns, long and mixed axes", async () => {
    const x = ops.arange(0, 3 * 300 * 4, 1, "int32"); // [3, 300, 4]
    const block = ops.reshape(x, [3, 300, 4]);
    const host = Array.from(await read(x));
    const total = (keep: (i: number) => boolean): number =>
      host.filter((_, i) => keep(i)).reduce((a, b) => a + b, 0);
    expect(await valuesOf(() => ops.sum(block))).toEqual([total(() => true)]);
    expect(await valuesOf(() => ops.sum(block, { axes: 1 }))).toEqual(
      [0, 1, 2].flatMap((a) =>
        [0, 1, 2, 3].map((c) => total((i) => Math.floor(i / 1200) === a && i % 4 === c)),
      ),
    );
    expect(await valuesOf(() => ops.sum(block, { axes: [0, 2] }))).toEqual(
      Array.from({ length: 300 }, (_, b) => total((i) => Math.floor(i / 4) % 300 === b)),
    );
    expect(await valuesOf(() => ops.sum(block, { axes: [1, 2] }))).toEqual(
      [0, 1, 2].map((a) => total((i) => Math.floor(i / 1200) === a)),
    );
    expect(
      await valuesOf(() =>
        ops.mean(
          tensor([
            [1, 2],
            [3, 6],
          ]),
          { axes: 1 },
        ),
      ),
    ).toEqual([1.5, 4.5]);
    const long = ops.ones([10_000]);
    expect(await valuesOf(() => ops.mean(long))).toEqual([1]);
    const kept = ops.prod(
      tensor([
        [2, 3],
        [4, 5],
      ]),
      { axes: 1, keepDims: true },
    );
    expect(kept.shape).toEqual([2, 1]);
    expect([...(await read(kept))]).toEqual([6, 20]);
    expect(await valuesOf(() => ops.sum(ops.zeros([2, 0]), { axes: 1 }))).toEqual([0, 0]);
    expect(await valuesOf(() => ops.matMul(ops.zeros([1, 0]), ops.zeros([0, 1])))).toEqual([0]);
    const place = ops.argMax(tensor([1, 3, 2]), { axis: 0 });
    expect(place.shape).toEqual([]);
    expect([...(await read(place))]).toEqual([1]);
    ops.dispose([x, block, long, kept, place]);
  });

  it("never eats NaN, and knows infinity", async () => {
    const wild = [NAN, INF, -INF, 1];
    const one = (compute: (x: Tensor) => Tensor): Promise<number[]> => valuesOf(() => compute(tensor(wild)));
    expect(await one((x) => ops.relu(x))).toEqual([NAN, INF, 0, 1]);
    expect(await one((x) => ops.relu6(x))).toEqual([NAN, 6, 0, 1]);
    expect(await one((x) => ops.exp(x))).toEqual([NAN, INF, 0, Math.fround(Math.E)]);
    expect((await one((x) => ops.sigmoid(x))).slice(0, 3)).toEqual([NAN, 1, 0]);
    expect((await one((x) => ops.elu(x))).slice(0, 4)).toEqual([NAN, INF, -1, 1]);
    expect((await one((x) => ops.softplus(x))).slice(0, 3)).toEqual([NAN, INF, 0]);
    expect((await one((x) => ops.selu(x))).slice(0, 2)).toEqual([NAN, INF]);
    expect(await one((x) => ops.tanh(x))).toEqual([NAN, 1, -1, Math.fround(Math.tanh(1))]);
    expect(await one((x) => ops.clip(x, { min: -2, max: 0.5 }))).toEqual([NAN, 0.5, -2, 0.5]);
    expect(await one((x) => ops.maximum(x, 0))).toEqual([NAN, INF, 0, 1]);
    expect(await one((x) => ops.minimum(x, 0))).toEqual([NAN, 0, -INF, 0]);
    expect(await one((x) => ops.max(x))).toEqual([NAN]);
    expect(await one((x) => ops.min(x))).toEqual([NAN]);
    expect(await one((x) => ops.argMax(x, { axis: 0 }))).toEqual([0]);
    expect(await one((x) => ops.isNaN(x))).toEqual([1, 0, 0, 0]);
    expect(await one((x) => ops.isInf(x))).toEqual([0, 1, 1, 0]);
    expect(await one((x) => ops.isFinite(x))).toEqual([0, 0, 0, 1]);
    expect(await one((x) => ops.notEqual(x, x))).toEqual([1, 0, 0, 0]);
    expect(await one((x) => ops.lessEqual(x, x))).toEqual([0, 1, 1, 1]);
    expect(await one((x) => ops.softmax(x))).toEqual([NAN, NAN, NAN, NAN]);
    expect(await valuesOf(() => ops.log(tensor([0, -1, INF])))).toEqual([-INF, NAN, INF]);
    expect(await valuesOf(() => ops.softmax(tensor([-INF, -INF])))).toEqual([NAN, NAN]);
  });

  it("sorts any length, ties in order", async () => {
    const lengths = [1, 5, 64, 65, 300];
    for (const length of lengths) {
      const host = Array.from({ length }, (_, i) => (i * 7919) % 13);
      const x = tensor(host);
      const order = (descending: boolean): number[] =>
        host.map((_, i) => i).sort((a, b) => (descending ? host[b] - host[a] : host[a] - host[b]) || a - b);
      expect(await valuesOf(() => ops.argsort(x))).toEqual(order(false));
      expect(await valuesOf(() => ops.argsort(x, { descending: true }))).toEqual(order(true));
      x.dispose();
    }
    expect(await valuesOf(() => ops.argsort(tensor([2, NAN, -0, 0, -INF])))).toEqual([4, 2, 3, 0, 1]);
    expect(
      await valuesOf(
        () =>
          ops.topK(
            tensor([
              [1, 3, 3],
              [9, 2, 5],
            ]),
            2,
          ).indices,
      ),
    ).toEqual([1, 2, 0, 2]);
    expect(await valuesOf(() => ops.sort(int([16777217, 16777216, -5])).values)).toEqual([
      -5, 16777216, 16777217,
    ]);
    expect(
      await valuesOf(
        () =>
          ops.sort(
            tensor([
              [3, 1],
              [2, 5],
            ]),
            { axis: 0 },
          ).values,
      ),
    ).toEqual([2, 1, 3, 5]);
  });

  it("adds many rows by index as it adds few", async () => {
    const count = 5000;
    const indices = Int32Array.from({ length: count }, (_, i) => (i * 7919) % 1000);
    const expected = new Array<number>(1000).fill(0);
    indices.forEach((index, i) => {
      expected[index] += i % 17;
    });
    const updates = Float32Array.from(indices, (_, i) => i % 17);
    expect(
      await valuesOf(() =>
        ops.indexAdd(ops.zeros([1000, 1]), int([...indices]), tensor(updates, [count, 1])),
      ),
    ).toEqual(expected);
    const along = { axis: 0 };
    expect(
      await valuesOf(() => ops.scatterAdd(ops.zeros([1000]), int([...indices]), tensor(updates), along)),
    ).toEqual(expected);
  });

  it("gathers and scatters exactly, adding what repeats in its order", async () => {
    const table = int([16777217, 16777219, 16777221, 16777223], [2, 2]);
    expect(await valuesOf(() => ops.gather(table, int([1, 0, 1])))).toEqual([
      16777221, 16777223, 16777217, 16777219, 16777221, 16777223,
    ]);
    expect(await valuesOf(() => ops.gatherNd(table, int([1, 0, 0, 1], [2, 2])))).toEqual([
      16777221, 16777219,
    ]);
    expect(await valuesOf(() => ops.takeAlongAxis(table, int([1, 0], [2, 1]), { axis: 1 }))).toEqual([
      16777219, 16777221,
    ]);
    expect(
      await valuesOf(() =>
        ops.indexAdd(
          ops.zeros([3, 2]),
          int([2, 0, 2]),
          tensor([
            [1, 2],
            [3, 4],
            [5, 6],
          ]),
        ),
      ),
    ).toEqual([3, 4, 0, 0, 6, 8]);
    expect(
      await valuesOf(() =>
        ops.scatterAdd(
          ops.zeros([2, 3]),
          int([2, 2, 0, 1], [2, 2]),
          tensor([
            [1, 2],
            [3, 4],
          ]),
          { axis: 1 },
        ),
      ),
    ).toEqual([0, 0, 3, 3, 4, 0]);
    expect(await valuesOf(() => ops.scatterNd(int([1, 1, 0], [3, 1]), tensor([1, 2, 3]), [3]))).toEqual([
      3, 3, 0,
    ]);
    expect(await valuesOf(() => ops.oneHot(int([2, 0]), 3))).toEqual([0, 0, 1, 1, 0, 0]);
    table.dispose();
  });
});
