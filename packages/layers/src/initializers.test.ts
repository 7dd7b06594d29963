import { read } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import {
  BatchNorm2d,
  Conv2d,
  Embedding,
  kaimingNormal,
  kaimingUniform,
  Linear,
  LSTM,
  MultiheadAttention,
  Parameter,
  xavierNormal,
} from "./index.js";
import type { AnyModule } from "./module.js";

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
    const { RandomGenerator } = await import("@ai/tensor");
    for (const [initializer, deviation] of initializers) {
      const parameter = new Parameter([100, 100], { initializer });
      parameter.initialize(new RandomGenerator(3));
      expect(Math.abs((await statistics(parameter)).deviation / deviation - 1)).toBeLessThan(0.05);
      parameter.dispose();
    }
  });
});
