import { describe, expect, it } from "vitest";
import {
  bernoulli,
  defaultGenerator,
  manualSeed,
  permutation,
  RandomGenerator,
  randomInteger,
  randomNormal,
  randomUniform,
  read,
} from "./index.js";
import { philox, portableCircle, portableLog, streamOf } from "./philox.js";
import { describeEachDevice, expectNoLeak } from "./testing/index.js";

const hex = (words: Iterable<number>): string[] =>
  Array.from(words, (word) => word.toString(16).padStart(8, "0"));

describe("philox", () => {
  // kat_vectors of Random123, the library of the paper's authors
  it.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      ["408f276d", "41c83b0e", "a20bc7c6", "6d5451fd"],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      ["d16cfe09", "94fdcceb", "5001e420", "24126ea1"],
    ],
  ] as const)("gives the known answer for counter %j, key %j", (counter, key, expected) => {
    const out = new Uint32Array(4);
    philox(counter, key, out);
    expect(hex(out)).toEqual(expected);
  });

  it("computes logarithm, cosine and sine to the last digits", () => {
    for (const x of [2 ** -32, 1e-6, 0.3, 0.706, 0.708, 0.999999, 1, 3, 1e6])
      expect(Math.abs(portableLog(x) - Math.log(x))).toBeLessThanOrEqual(
        3e-16 * Math.max(1, Math.abs(Math.log(x))),
      );
    for (let i = 0; i < 64; i++) {
      const [cosine, sine] = portableCircle(i / 64);
      expect(cosine).toBeCloseTo(Math.cos((2 * Math.PI * i) / 64), 14);
      expect(sine).toBeCloseTo(Math.sin((2 * Math.PI * i) / 64), 14);
    }
  });

  it("gives different streams for names that differ only in padding or split", () => {
    const names = [
      "",
      "\0",
      "a",
      "a\0",
      "layer.1",
      "layer.10",
      "x".repeat(12),
      "x".repeat(13),
      "x".repeat(28),
      "x".repeat(29),
    ];
    expect(new Set(names.map((name) => streamOf([0, 0], name).join())).size).toBe(names.length);
    expect(streamOf([0, 0], "a")).not.toEqual(streamOf([1, 0], "a"));
  });
});

describe("RandomGenerator", () => {
  it("starts with the known answer and goes on block by block", () => {
    const generator = new RandomGenerator(0);
    expect(hex([generator.word(), generator.word(), generator.word(), generator.word()])).toEqual([
      "6627e8d5",
      "e169c58d",
      "bc57ac4c",
      "9b00dbd8",
    ]);
    const block = new Uint32Array(4);
    philox([1, 0, 0, 0], [0, 0], block);
    expect(generator.word()).toBe(block[0]);
  });

  it("keeps its numbers from release to release", () => {
    const generator = new RandomGenerator(2 ** 40 + 7).fork("encoder.weight");
    const doubles = new Float64Array(generator.normalPair());
    expect(generator.state()).toMatchInlineSnapshot(`
      {
        "algorithm": "philox4x32-10",
        "counter": 2,
        "seed": 1099511627783,
        "stream": [
          481202004,
          1665468235,
        ],
      }
    `);
    expect(hex(new Uint32Array(doubles.buffer))).toMatchInlineSnapshot(`
      [
        "17136aec",
        "3fead64c",
        "6e4cde07",
        "bff18026",
      ]
    `);
    expect(generator.permutation(8)).toMatchInlineSnapshot(`
      Int32Array [
        4,
        2,
        7,
        0,
        5,
        1,
        6,
        3,
      ]
    `);
    expect(generator.integer(-(2 ** 40), 2 ** 40)).toMatchInlineSnapshot(`500394964520`);
  });

  it("gives several words at once as it gives them one by one, over a carry of the counter too", () => {
    const one = new RandomGenerator(8);
    one.setState({ ...one.state(), counter: 4 * (2 ** 32 - 2) + 3 });
    const many = new RandomGenerator(8);
    many.setState(one.state());
    expect([...many.words(14)]).toEqual(Array.from({ length: 14 }, () => one.word()));
    expect(many.state()).toEqual(one.state());
  });

  it("goes on exactly from a state that went through JSON, in the middle of a block", () => {
    const generator = new RandomGenerator(11).fork("data");
    for (let i = 0; i < 6; i++) generator.word();
    const saved = JSON.parse(JSON.stringify(generator.state()));
    const expected = [generator.normal(), generator.uniform(), ...generator.permutation(20)];
    const resumed = new RandomGenerator(0);
    resumed.setState(saved);
    expect([resumed.normal(), resumed.uniform(), ...resumed.permutation(20)]).toEqual(expected);
  });

  it("continues past 2^32 blocks", () => {
    const generator = new RandomGenerator(1);
    generator.setState({ ...generator.state(), counter: 4 * 2 ** 32 });
    const block = new Uint32Array(4);
    philox([0, 1, 0, 0], [1, 0], block);
    expect(generator.word()).toBe(block[0]);
  });

  it("forks by name whatever was drawn before", () => {
    const generator = new RandomGenerator(5);
    const first = generator.fork("a").word();
    generator.word();
    expect(generator.fork("a").word()).toBe(first);
    expect(generator.fork("b").word()).not.toBe(first);
    expect(new RandomGenerator(6).fork("a").word()).not.toBe(first);
  });

  it("draws integers without bias", () => {
    const generator = new RandomGenerator(3);
    const counts = new Array<number>(6).fill(0);
    for (let i = 0; i < 60000; i++) counts[generator.integer(-2, 4) + 2]++;
    const chiSquare = counts.reduce((total, count) => total + (count - 10000) ** 2 / 10000, 0);
    expect(chiSquare).toBeLessThan(20.5); // 0.1 % point for 5 degrees of freedom
    // a range just above half of 2^32 would favour small values by 2 to 1 without rejection
    const range = 2 ** 31 + 2 ** 30;
    let small = 0;
    for (let i = 0; i < 10000; i++) if (generator.integer(0, range) < 2 ** 30) small++;
    expect(Math.abs(small / 10000 - 1 / 3)).toBeLessThan(0.02);
  });

  it("permutes with every order equally likely", () => {
    const generator = new RandomGenerator(4);
    const counts = new Map<string, number>();
    for (let i = 0; i < 12000; i++) {
      const order = generator.permutation(4).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    const chiSquare = [...counts.values()].reduce((total, count) => total + (count - 500) ** 2 / 500, 0);
    expect(chiSquare).toBeLessThan(49.7); // 0.1 % point for 23 degrees of freedom
    expect([...generator.permutation(0)]).toEqual([]);
  });

  it("refuses what it cannot use", () => {
    expect(() => new RandomGenerator(-1)).toThrow(/integer in \[0, 2\^53\)/);
    expect(() => new RandomGenerator(1.5)).toThrow(/integer in \[0, 2\^53\)/);
    const generator = new RandomGenerator(0);
    expect(() => generator.integer(3, 3)).toThrow(/expected integers min < max/);
    expect(() => generator.bernoulli(1.01)).toThrow(/probability in \[0, 1\]/);
    expect(() => generator.permutation(-1)).toThrow(/expected a length/);
    expect(() => generator.setState({ ...generator.state(), counter: -4 })).toThrow(/expected a state/);
    expect(() => generator.setState({ ...generator.state(), stream: [0, 2 ** 32] })).toThrow(
      /expected a state/,
    );
    expect(() => generator.setState({ ...generator.state(), algorithm: "mt19937" as never })).toThrow(
      /philox4x32-10/,
    );
  });
});

describeEachDevice("random tensors", () => {
  it("have the asked distribution", async () => {
    const generator = new RandomGenerator(9);
    const normal = randomNormal([20001], { mean: 3, standardDeviation: 2, generator });
    const uniform = randomUniform([20000], { min: -1, max: 3, generator });
    const coins = bernoulli([20000], { probability: 0.25, generator });
    const [a, b, c] = [await read(normal), await read(uniform), await read(coins)];
    const mean = (values: ArrayLike<number>): number =>
      Array.from(values).reduce((x, y) => x + y, 0) / values.length;
    const center = mean(a);
    expect(Math.abs(center - 3)).toBeLessThan(0.06);
    expect(Math.abs(mean(Array.from(a, (x) => (x - center) ** 2)) - 4)).toBeLessThan(0.16);
    expect(Math.abs(mean(Array.from(a, (x) => ((x - center) / 2) ** 4)) - 3)).toBeLessThan(0.25);
    expect(Math.abs(mean(b) - 1)).toBeLessThan(0.04);
    expect(Math.min(...b)).toBeGreaterThanOrEqual(-1);
    expect(Math.max(...b)).toBeLessThan(3);
    expect(Math.abs(mean(c) - 0.25)).toBeLessThan(0.015);
    for (const t of [normal, uniform, coins]) t.dispose();
  });

  it("draw in one call what they draw in two", async () => {
    const one = randomUniform([7], { generator: new RandomGenerator(1) });
    const generator = new RandomGenerator(1);
    const first = randomUniform([3], { generator });
    const second = randomUniform([4], { generator });
    expect([...(await read(first)), ...(await read(second))]).toEqual([...(await read(one))]);
    for (const t of [one, first, second]) t.dispose();
  });

  it("use the default generator, which manualSeed restarts", async () => {
    const draw = async (): Promise<number[]> => {
      manualSeed(123);
      const tensors = [randomNormal([3]), randomInteger([4], { min: -5, max: 5 }), permutation(5)];
      const values = (await Promise.all(tensors.map(read))).flatMap((part) => [...part]);
      for (const t of tensors) t.dispose();
      return values;
    };
    expect(await draw()).toEqual(await draw());
    expect(defaultGenerator().seed).toBe(123);
  });

  it("take sizes of 0, keep dtypes and leak nothing", async () => {
    await expectNoLeak(() => {
      const generator = new RandomGenerator(1);
      const tensors = [
        randomUniform([0, 3], { generator }),
        randomNormal([], { generator }),
        randomInteger([2], { max: 2, generator }),
        bernoulli([2], { probability: 1, dtype: "bool", generator }),
      ];
      expect(tensors.map((t) => t.dtype)).toEqual(["float32", "float32", "int32", "bool"]);
      expect(tensors.map((t) => t.shape)).toEqual([[0, 3], [], [2], [2]]);
      for (const t of tensors) t.dispose();
    });
  });

  it("refuse bad options", () => {
    expect(() => randomUniform([-1])).toThrow(/non-negative integer sizes/);
    expect(() => randomUniform([1], { min: 1, max: 0 })).toThrow(/min ≤ max/);
    expect(() => randomNormal([1], { standardDeviation: -1 })).toThrow(/at least 0/);
    expect(() => randomNormal([1], { mean: Number.NaN })).toThrow(/finite mean/);
    expect(() => randomInteger([1], { max: 2 ** 40 })).toThrow(/2\^31/);
    expect(() => bernoulli([1], { probability: 2 })).toThrow(/probability/);
  });
});
