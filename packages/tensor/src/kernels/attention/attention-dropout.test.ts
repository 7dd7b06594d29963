import { beforeAll, expect, it } from "vitest";
import { grad } from "../../autograd.js";
import { useDevice } from "../../device.js";
import { dispose, tidy } from "../../memory.js";
import { mul } from "../../ops/arithmetic.js";
import { sum } from "../../ops/reduce.js";
import { RandomGenerator, randomUniform } from "../../random.js";
import { read, type Tensor } from "../../tensor.js";
import { expectSameOnThreads } from "../../testing/wasm-threads.js";
import { attentionKernel, scaledDotProductAttention } from "./attention.js";
import { drawnFactors } from "./attention.reference.js";

beforeAll(async () => {
  await useDevice("wasm");
});

/** Batch, heads, queries, keys, width of keys, width of values. */
const SIZES = [
  [1, 1, 1, 1, 1, 1],
  [2, 3, 2, 70, 5, 6], // few queries
  [1, 2, 67, 133, 8, 5], // blocks are tasks
  [3, 3, 20, 131, 4, 9], // heads are tasks
];

function inputs([batch, heads, queries, keys, dim, valueDim]: readonly number[]): [Tensor, Tensor, Tensor] {
  const generator = new RandomGenerator(3);
  const random = (length: number, width: number): Tensor =>
    randomUniform([batch, heads, length, width], { min: -2, max: 2, generator });
  return [random(queries, dim), random(keys, dim), random(keys, valueDim)];
}

/** The result and the gradients of query, key and value of a function of the three. */
async function results(
  sizes: readonly number[],
  attend: (query: Tensor, key: Tensor, value: Tensor) => Tensor,
): Promise<Float32Array[]> {
  const given = inputs(sizes);
  const made = tidy(() => [
    attend(...given),
    ...grad((query, key, value) => {
      const y = attend(query, key, value);
      return sum(mul(y, y));
    }, given),
  ]);
  const values = await Promise.all(made.map(read));
  dispose([given, made]);
  return values as Float32Array[];
}

it("factors that are drawn in place are those of a mask, forward and backward, wherever the counter stands", async () => {
  for (const sizes of SIZES)
    for (const isCausal of [false, true])
      for (const [kept, counter] of [
        [0.9, 0],
        [0.5, 2 ** 32 - 1],
      ]) {
        const drawn = { kept, position: { seed: 7, stream: [1, 2 ** 31] as const, counter } };
        const attrs = { scale: 0.4, isCausal };
        const scores = sizes.slice(0, 4);
        const expected = await results(sizes, (query, key, value) =>
          attentionKernel({ query, key, value, dropout: drawnFactors(drawn, scores) }, attrs),
        );
        const actual = await results(sizes, (query, key, value) =>
          attentionKernel({ query, key, value }, { ...attrs, drawn }),
        );
        expect({ sizes, isCausal, counter, actual }).toEqual({ sizes, isCausal, counter, actual: expected });
      }
});

it("any number of threads drops the same weights", async () => {
  for (const sizes of SIZES)
    await expectSameOnThreads(() =>
      results(sizes, (query, key, value) => {
        const generator = new RandomGenerator(5);
        return scaledDotProductAttention(query, key, value, { dropoutProbability: 0.2, generator });
      }),
    );
});

it("wasm drops what cpu drops, and leaves the generator at the same word", async () => {
  const states: number[] = [];
  const onDevice = async (device: "cpu" | "wasm"): Promise<Float32Array[]> => {
    await useDevice(device);
    const generator = new RandomGenerator(11);
    const values = await results(SIZES[2], (query, key, value) =>
      scaledDotProductAttention(query, key, value, { dropoutProbability: 0.3, generator }),
    );
    states.push(generator.state().counter);
    return values;
  };
  const expected = await onDevice("cpu");
  const actual = await onDevice("wasm");
  expect(states[0]).toBe(2 * 2 * 67 * 133);
  expect(states[1]).toBe(states[0]);
  expected.forEach((values, index) => {
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const error = values.reduce((most, value, i) => Math.max(most, Math.abs(value - actual[index][i])), 0);
    expect({ index, error: error / largest < 1e-5 }).toEqual({ index, error: true });
  });
});
