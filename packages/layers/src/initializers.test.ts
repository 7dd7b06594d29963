import { dispose, RandomGenerator, randomNormal, read } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import {
  BatchNorm2d,
  Conv2d,
  calculateGain,
  dirac,
  Embedding,
  identity,
  kaimingNormal,
  kaimingUniform,
  Linear,
  LSTM,
  MultiheadAttention,
  orthogonal,
  Parameter,
  sparse,
  Transformer,
  truncatedNormal,
  xavierNormal,
} from "./index.js";
import type { AnyModule } from "./module.js";
import type { Initializer } from "./parameter.js";

/** Standard deviation of U(−bound, bound). */
const ofUniform = (bound: number): number => bound / Math.sqrt(3);

/** Mean and standard deviation of the first values of a parameter, and the largest of them. */
async function statistics(
  parameter: Parameter,
): Promise<{ mean: number; deviation: number; largest: number }> {
  const values = Array.from(await read(parameter.value));
  const mean = values.reduce((total, value) => total + value, 0) / values.length;
  const variance = values.reduce((total, value) => total + (value - mean) ** 2, 0) / values.length;
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return { mean, deviation: Math.sqrt(variance), largest };
}

/** What PyTorch's reset_parameters draws: deviation, and bound where the distribution has one. */
const DEFAULTS: readonly [
  name: string,
  build: () => AnyModule,
  Record<string, [deviation: number, bound?: number]>,
][] = [
  ["Linear", () => new Linear(50, 80), { weight: [ofUniform(1 / Math.sqrt(50)), 1 / Math.sqrt(50)] }],
  [
    "Conv2d",
    () => new Conv2d(8, 64, 3, { groups: 2 }),
    { weight: [ofUniform(1 / 6), 1 / 6], bias: [ofUniform(1 / 6), 1 / 6] },
  ],
  ["BatchNorm2d", () => new BatchNorm2d(8), { weight: [0, 1], bias: [0, 0] }],
  ["Embedding", () => new Embedding(100, 40), { weight: [1] }],
  [
    "LSTM",
    () => new LSTM(9, 16),
    { weight_ih_l0: [ofUniform(1 / 4), 1 / 4], bias_hh_l0: [ofUniform(1 / 4), 1 / 4] },
  ],
  [
    "MultiheadAttention",
    () => new MultiheadAttention(48, 4),
    {
      in_proj_weight: [ofUniform(Math.sqrt(6 / 192)), Math.sqrt(6 / 192)],
      in_proj_bias: [0, 0],
      "out_proj.weight": [ofUniform(1 / Math.sqrt(48)), 1 / Math.sqrt(48)],
      "out_proj.bias": [0, 0],
    },
  ],
  [
    "MultiheadAttention that adds a key",
    () => new MultiheadAttention(48, 4, { addBiasKeyValue: true }),
    { bias_k: [1 / Math.sqrt(48)], bias_v: [1 / Math.sqrt(48)] },
  ],
  [
    "Transformer",
    () => new Transformer(32, 4, { numEncoderLayers: 1, numDecoderLayers: 1, dimFeedforward: 64 }),
    {
      "encoder.layers.0.linear1.weight": [ofUniform(1 / 4), 1 / 4],
      "decoder.layers.0.multihead_attn.out_proj.weight": [ofUniform(Math.sqrt(6 / 64)), Math.sqrt(6 / 64)],
    },
  ],
];

describeEachDevice("first values", () => {
  for (const [name, build, expected] of DEFAULTS)
    it(`of ${name} follow PyTorch's distribution`, async () => {
      const module = build().initialize({ seed: 11 });
      const parameters = new Map(module.namedParameters());
      for (const [path, [deviation, bound]] of Object.entries(expected)) {
        const parameter = parameters.get(path)!;
        const found = await statistics(parameter);
        const count = parameter.value.size;
        // five standard errors
        expect(Math.abs(found.deviation - deviation), path).toBeLessThanOrEqual(
          (5 * deviation) / Math.sqrt(count) + 1e-7,
        );
        if (deviation > 0)
          expect(Math.abs(found.mean), path).toBeLessThan((5 * deviation) / Math.sqrt(count));
        if (bound !== undefined) expect(found.largest, path).toBeLessThanOrEqual(Math.fround(bound) + 1e-7);
      }
      module.dispose();
    });

  it("of the padding row of an embedding are zeros", async () => {
    const layer = new Embedding(3, 2, { paddingIdx: 1 });
    layer.parameters();
    const values = [...(await read(layer.weight.value))];
    expect(values.map((value) => value === 0)).toEqual([false, false, true, true, false, false]);
    layer.dispose();
  });

  it("follow the formulas of He and Glorot", async () => {
    const initializers = [
      [kaimingUniform({ fanIn: 50 }), Math.sqrt(2 / 50)],
      [kaimingNormal({ fanIn: 50, negativeSlope: 1 }), Math.sqrt(1 / 50)],
      [xavierNormal({ fanIn: 30, fanOut: 70, gain: 2 }), 2 * Math.sqrt(2 / 100)],
    ] as const;
    for (const [initializer, deviation] of initializers) {
      const parameter = new Parameter([100, 100], { initializer });
      parameter.initialize(new RandomGenerator(3));
      expect(Math.abs((await statistics(parameter)).deviation / deviation - 1)).toBeLessThan(0.05);
      parameter.dispose();
    }
  });

  it("gains are PyTorch's, and a sparse matrix has its zeros in each column", async () => {
    const gains = (["linear", "sigmoid", "tanh", "relu", "selu", "leakyRelu"] as const).map((name) =>
      calculateGain(name),
    );
    const expected = [1, 1, 1.6666666666666667, Math.SQRT2, 0.75, 1.4141428569978354];
    for (const [index, gain] of gains.entries()) expect(gain).toBeCloseTo(expected[index], 12);
    expect(calculateGain("leakyRelu", { negativeSlope: 0.2 })).toBeCloseTo(1.3867504905630728, 12);
    expect(() => calculateGain("relu", { negativeSlope: 0.2 })).toThrow(/with "leakyRelu" only/);
    expect(() => calculateGain("gelu" as "relu")).toThrow(/nonlinearity "linear" or/);
    const matrix = sparse({ sparsity: 0.3, standardDeviation: 2 })([11, 50], new RandomGenerator(4));
    const values = Array.from(await read(matrix));
    const columns = Array.from({ length: 50 }, (_, column) => values.filter((_, at) => at % 50 === column));
    expect(columns.every((column) => column.filter((value) => value === 0).length === 4)).toBe(true);
    const kept = values.filter((value) => value !== 0);
    const deviation = Math.sqrt(kept.reduce((total, value) => total + value ** 2, 0) / kept.length);
    expect(Math.abs(deviation / 2 - 1)).toBeLessThan(0.15);
    // the places differ from column to column
    expect(new Set(columns.map((column) => column.map((value) => value === 0).join())).size).toBeGreaterThan(
      10,
    );
    dispose(matrix);
    expect(() => sparse({ sparsity: 2 })).toThrow(/sparse: expected a sparsity in \[0, 1\]/);
  });

  it("are cut, at right angles, or the identity where that is asked for", async () => {
    const values = async (initializer: Initializer, shape: number[]): Promise<Float32Array> => {
      const parameter = new Parameter(shape, { initializer });
      parameter.initialize(new RandomGenerator(5));
      const numbers = Float32Array.from(await read(parameter.value));
      parameter.dispose();
      return numbers;
    };
    // standard deviations of the truncated normal, from its formula
    const cuts = [
      [truncatedNormal({ min: -1, max: 2 }), -1, 2, 0.2296, 0.7209],
      [truncatedNormal({ mean: 1, standardDeviation: 2, min: 0.5, max: 1 }), 0.5, 1, 0.7513, 0.1442],
    ] as const;
    for (const [initializer, min, max, mean, deviation] of cuts) {
      const drawn = await values(initializer, [4000]);
      expect(drawn.every((value) => value >= min && value <= max)).toBe(true);
      const average = drawn.reduce((total, value) => total + value, 0) / drawn.length;
      const spread = Math.sqrt(
        drawn.reduce((total, value) => total + (value - average) ** 2, 0) / drawn.length,
      );
      expect(Math.abs(average - mean)).toBeLessThan((5 * deviation) / Math.sqrt(drawn.length));
      expect(Math.abs(spread / deviation - 1)).toBeLessThan(0.06);
    }
    const product = (
      rows: Float32Array,
      [a, b]: [number, number],
      length: number,
      step: [number, number],
    ): number =>
      Array.from(
        { length },
        (_, at) => rows[a * step[0] + at * step[1]] * rows[b * step[0] + at * step[1]],
      ).reduce((total, value) => total + value, 0);
    const wide = await values(orthogonal({ gain: 3 }), [3, 5]);
    const filter = await values(orthogonal({ outputAxis: -1 }), [2, 2, 2, 3]);
    const tall = await values(orthogonal(), [5, 3]);
    for (let a = 0; a < 3; a++)
      for (let b = 0; b < 3; b++) {
        expect(product(wide, [a, b], 5, [5, 1])).toBeCloseTo(a === b ? 9 : 0, 4);
        expect(product(filter, [a, b], 8, [1, 3])).toBeCloseTo(a === b ? 1 : 0, 5);
        expect(product(tall, [a, b], 5, [1, 3])).toBeCloseTo(a === b ? 1 : 0, 5);
      }
    expect([...(await values(identity(), [2, 3]))]).toEqual([1, 0, 0, 0, 1, 0]);
    const copy = new Conv2d(2, 2, 3, { padding: 1, groups: 2, bias: false });
    copy.weight.setValue(dirac({ groups: 2 })(copy.weight.shape, new RandomGenerator(1)));
    const x = randomNormal([1, 3, 4, 2], { generator: new RandomGenerator(2) });
    const y = copy.call(x);
    await expect(y).toBeCloseToTensor(x, { relative: 0, absoluteScale: 1e-6 });
    dispose([x, y]);
    copy.dispose();
    expect(() => truncatedNormal({ mean: 9 })).toThrow(/truncatedNormal: expected min < max/);
    expect(() => truncatedNormal({ std: 2 } as never)).toThrow(/got one named std/);
    expect(() => orthogonal()([3], new RandomGenerator(1))).toThrow(/at least 2 axes/);
    expect(() => dirac({ groups: 2 })([3, 2, 3], new RandomGenerator(1))).toThrow(/outputs that 2 divides/);
  });
});
