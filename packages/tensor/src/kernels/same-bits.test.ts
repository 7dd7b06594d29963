import { expect, it } from "vitest";
import {
  batchNormTraining,
  crossEntropy,
  dispose,
  grad,
  groupNorm,
  gruSequence,
  layerNorm,
  lstmSequence,
  mul,
  RandomGenerator,
  randomNormal,
  read,
  rmsNorm,
  scaledDotProductAttention,
  selectiveScan,
  setThreads,
  sum,
  type Tensor,
  tensor,
  tidy,
} from "../index.js";
import { describeEachDevice } from "../testing/index.js";
import { wasmBackend } from "../testing/wasm-kernels.js";

/** Shapes of the inputs, and what is computed from them. */
const FAMILIES: Record<string, [shapes: number[][], compute: (inputs: Tensor[]) => Tensor]> = {
  "attention, few heads": [
    [
      [1, 2, 130, 12],
      [1, 2, 90, 12],
      [1, 2, 90, 20],
    ],
    ([query, key, value]) => scaledDotProductAttention(query, key, value),
  ],
  "attention, many heads": [
    [
      [2, 5, 70, 9],
      [2, 5, 90, 9],
      [2, 5, 90, 9],
    ],
    ([query, key, value]) => scaledDotProductAttention(query, key, value, { isCausal: true }),
  ],
  "LSTM chain": [
    [
      [3, 11, 84],
      [84, 21],
      [11, 21],
      [11, 21],
    ],
    ([gates, weight, hidden, cell]) => tidy(() => lstmSequence(gates, weight, { hidden, cell }).hidden),
  ],
  "GRU chain": [
    [[3, 11, 63], [63, 21], [11, 21], [63]],
    ([gates, weight, hidden, hiddenBias]) => gruSequence(gates, weight, { hidden, hiddenBias }),
  ],
  "selective scan": [
    [[2, 35, 70], [2, 35, 70], [70, 3], [2, 35, 3], [2, 35, 3], [70]],
    ([x, step, a, b, c, d]) => tidy(() => selectiveScan(x, mul(step, 0.1), { a, b, c, d })),
  ],
  "layer norm": [[[150, 37], [37], [37]], ([x, weight, bias]) => layerNorm(x, { weight, bias })],
  "RMS norm": [[[150, 37], [37]], ([x, weight]) => rmsNorm(x, { weight })],
  "group norm": [
    [[2, 700, 12], [12], [12]],
    ([x, weight, bias]) => groupNorm(x, { numGroups: 3, weight, bias }),
  ],
  "batch norm": [
    [[1100, 7], [7], [7]],
    ([x, weight, bias]) => tidy(() => batchNormTraining(x, { weight, bias }).output),
  ],
  "cross entropy": [
    [[75, 19]],
    ([logits]) =>
      tidy(() =>
        crossEntropy(logits, tensor(Int32Array.from({ length: 75 }, (_, row) => row % 19)), {
          reduction: "none",
        }),
      ),
  ],
};

/** The result and the gradients under a fixed seed, as bits. */
async function bitsOf(shapes: number[][], compute: (inputs: Tensor[]) => Tensor): Promise<Int32Array[]> {
  const generator = new RandomGenerator(3);
  const inputs = shapes.map((shape) => randomNormal(shape, { generator }));
  const output = compute(inputs);
  const seed = randomNormal(output.shape, { generator });
  const gradients = grad((...values) => sum(mul(compute(values), seed)), inputs);
  const bits: Int32Array[] = [];
  for (const result of [output, ...gradients]) {
    const values = (await read(result)) as Float32Array;
    bits.push(new Int32Array(values.slice().buffer));
  }
  dispose([output, seed, ...inputs, ...gradients]);
  return bits;
}

describeEachDevice("one, two and three threads", () => {
  it("give the same bits, every job cut", async () => {
    const { pool } = wasmBackend().runtime;
    const { threads, costs } = pool;
    pool.setCosts({ serialBelow: 0, wakeAbove: 0 });
    const results: Record<string, Int32Array[]>[] = [];
    for (const count of [1, 2, 3]) {
      await setThreads(count);
      const family: Record<string, Int32Array[]> = {};
      for (const [name, [shapes, compute]] of Object.entries(FAMILIES))
        family[name] = await bitsOf(shapes, compute);
      results.push(family);
    }
    pool.setCosts(costs);
    await setThreads(threads);
    for (const name in FAMILIES)
      for (const other of results.slice(1)) expect(other[name], name).toEqual(results[0][name]);
  });
}, ["wasm"]);
