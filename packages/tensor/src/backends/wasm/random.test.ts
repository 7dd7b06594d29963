import { expect, it } from "vitest";
import { useDevice } from "../../device.js";
import { dispose } from "../../memory.js";
import { boxMuller } from "../../philox.js";
import { bernoulli, RandomGenerator, randomInteger, randomNormal, randomUniform } from "../../random.js";
import { read, type Tensor } from "../../tensor.js";
import { expectSameOnThreads } from "../../testing/wasm-threads.js";

/** A generator at a word, of a seed and a stream that use all of their bits. */
function generatorAt(counter: number): RandomGenerator {
  const generator = new RandomGenerator(2 ** 52 + 2 ** 31 + 12345).fork("mask");
  generator.setState({ ...generator.state(), counter });
  return generator;
}

// where the counter's words, and those of the block, carry; in the middle of a block, too
const COUNTERS = [0, 3, 2 ** 32 - 5, 4 * (2 ** 32 - 2) + 1, 4 * 2 ** 32 + 2, 2 ** 52 + 7];
const COUNTS = [1, 5, 17, 1009, 4099];
const UNIFORM = { min: -0.1, max: 1e-7 };

it("random masks and numbers are those of JavaScript's words, wherever the counter stands", async () => {
  await useDevice("wasm");
  for (const [index, counter] of COUNTERS.entries())
    for (const count of COUNTS) {
      const words = generatorAt(counter);
      const units = Array.from(words.words(count), (word) => (word >>> 8) / 2 ** 24);
      const probability = [0.9, 0, 1, 0.3, units[0], 2 ** -24][index];
      const mask = units.map((unit) => Number(unit < probability));
      const generators = [generatorAt(counter), generatorAt(counter), generatorAt(counter)];
      const made = [
        bernoulli([count], { probability, generator: generators[0] }),
        bernoulli([count], { probability, dtype: "bool", generator: generators[1] }),
        randomUniform([count], { ...UNIFORM, generator: generators[2] }),
      ];
      const [floats, booleans, numbers] = await Promise.all(made.map(read));
      expect([...floats]).toEqual(mask);
      expect([...booleans]).toEqual(mask);
      const { min, max } = UNIFORM;
      const rounded = Float32Array.from(units, (unit) => min + (max - min) * unit);
      expect(numbers).toEqual(rounded.map((value) => (value >= max ? min : value)));
      for (const generator of generators) expect(generator.state()).toEqual(words.state());
      dispose(made);
    }
});

it("a number that rounds up to the excluded end is the other end", async () => {
  const values = async (device: "cpu" | "wasm"): Promise<number[]> => {
    await useDevice(device);
    const x = randomUniform([999], { min: 1, max: 1 + 2 ** -23, generator: generatorAt(2) });
    const result = [...(await read(x))];
    x.dispose();
    return result;
  };
  const expected = await values("cpu");
  expect(new Set(expected)).toEqual(new Set([1]));
  expect(await values("wasm")).toEqual(expected);
});

it("normal numbers are those of JavaScript's pairs, to the last bit", async () => {
  await useDevice("wasm");
  for (const [index, counter] of COUNTERS.entries())
    for (const count of [1, 2, 3, 6, 1009, 40_000]) {
      const words = generatorAt(counter).words(2 * Math.ceil(count / 2));
      const [mean, standardDeviation] = index % 2 === 0 ? [0, 1] : [0.25, 0.02];
      const expected = Float32Array.from(
        { length: count },
        (_, i) => mean + standardDeviation * boxMuller(words[i & ~1], words[i | 1])[i & 1],
      );
      const generator = generatorAt(counter);
      const x = randomNormal([count], { mean, standardDeviation, generator });
      const values = await read(x);
      expect(values.findIndex((value, i) => !Object.is(value, expected[i]))).toBe(-1);
      expect(generator.state().counter).toBe(counter + words.length);
      x.dispose();
    }
});

it("random integers are those that the generator gives one by one, words passed over included", async () => {
  await useDevice("wasm");
  // the last two pass over a third and nearly a half of the words
  const ranges = [
    [0, 10],
    [-7, -6],
    [-(2 ** 31), 2 ** 31],
    [-5, 2 ** 16 - 5],
    [-(2 ** 31), 2 ** 30 - 1],
    [-1, 2 ** 31],
  ];
  for (const [index, [min, max]] of ranges.entries())
    for (const count of [1, 17, 4099]) {
      const [drawn, expected] = [generatorAt(COUNTERS[index]), generatorAt(COUNTERS[index])];
      const x = randomInteger([count], { min, max, generator: drawn });
      const values = Int32Array.from({ length: count }, () => expected.integer(min, max));
      expect(await read(x)).toEqual(values);
      expect(drawn.state()).toEqual(expected.state());
      x.dispose();
    }
});

it("any cut between threads gives the same random bits", async () => {
  await useDevice("wasm");
  await expectSameOnThreads(async () => {
    const generator = generatorAt(4 * (2 ** 32 - 200) + 3);
    const made: Tensor[] = [
      bernoulli([4099], { probability: 0.7, generator }),
      // whole words of booleans are compared
      bernoulli([4099], { probability: 0.7, dtype: "bool", generator }),
      randomUniform([4099], { ...UNIFORM, generator }),
      randomNormal([4099], { generator }),
      randomInteger([4099], { max: 1000, generator }),
    ];
    const values = await Promise.all(made.map(read));
    dispose(made);
    return values.map((each) => (each instanceof Uint8Array ? Int32Array.from(each) : each));
  });
});
