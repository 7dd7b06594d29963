import { dispose, narrow, read, reshape, silu, type Tensor } from "@ai/tensor";
import { describeEachDevice, expectNoLeak, type Fixture } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import {
  LinearAttention,
  Mamba,
  MixtureOfExperts,
  MultiheadAttention,
  RelativePositionBias,
  RotaryEmbedding,
  type RotaryScaling,
  Transformer,
  type TransformerOptions,
} from "./index.js";
import { expectLikeTorch, type LayerCase, loadLayerFixture } from "./testing/layer-cases.js";

/** The bias of the keys changes no softmax: its gradient is a sum that rounds to about 0. */
const tolerance = { absoluteScale: 5e-6 };

const transformer = (name: string, options: TransformerOptions): LayerCase => ({
  name,
  tolerance,
  build: () =>
    new Transformer(8, 2, {
      numEncoderLayers: 1,
      numDecoderLayers: 2,
      dimFeedforward: 6,
      dropout: 0,
      ...options,
    }),
  call: (model: Transformer, [source, target]: Tensor[], fixture: Fixture) => {
    const some = { keyPaddingMask: fixture.tensor("some") };
    return [model.call(source, target, { source: some, memory: some, target: { isCausal: true } })];
  },
});

const SCALINGS: Readonly<Record<string, RotaryScaling>> = {
  dynamic: { type: "dynamic", factor: 4, originalLength: 8 },
  yarn: { type: "yarn", factor: 4, originalLength: 512 },
  yarn_given: {
    type: "yarn",
    factor: 3,
    originalLength: 512,
    betaFast: 20,
    betaSlow: 2,
    attentionFactor: 1.25,
    truncate: false,
  },
  longrope: {
    type: "longrope",
    factor: 4,
    originalLength: 8,
    shortFactors: [1, 1.5, 2, 3],
    longFactors: [1, 2, 4, 5],
  },
};

const oneExpert = { numExperts: 4, hiddenDim: 6, topK: 1 };

/** Attributes as in tooling/fixtures/layers/attention_more.py. */
const CASES: readonly LayerCase[] = [
  ...(["heads", "none"] as const).map((weights) => ({
    name: "added_both",
    tolerance,
    build: () => new MultiheadAttention(8, 2, { addBiasKeyValue: true, addZeroAttention: true }),
    call: (attention: MultiheadAttention, [x]: Tensor[], fixture: Fixture) => {
      const masks = { keyPaddingMask: fixture.tensor("padding"), isCausal: true };
      const { output, weights: seen } = attention.call(x, x, x, { ...masks, weights });
      // both outputs are in the fixture: the fused way gives no weights, the other way stands in for them
      return [output, seen ?? attention.call(x, x, x, { ...masks, weights: "heads" }).weights!];
    },
  })),
  {
    name: "added_bias",
    tolerance,
    build: () => new MultiheadAttention(8, 2, { addBiasKeyValue: true, keyDim: 3, valueDim: 5, bias: false }),
    call: (attention: MultiheadAttention, [query, key, value]: Tensor[]) => [
      attention.call(query, key, value).output,
    ],
  },
  {
    name: "added_zero",
    tolerance,
    build: () => new MultiheadAttention(8, 2, { addZeroAttention: true }),
    // a mask that broadcasts over the keys does not reach the one that is added
    call: (attention: MultiheadAttention, [x]: Tensor[], fixture: Fixture) => [
      attention.call(x, x, x, { attentionMask: reshape(fixture.tensor("bias"), [1, 2, 4, 1]) }).output,
    ],
  },
  transformer("transformer_post", { activation: silu }),
  transformer("transformer_pre", { normFirst: true, bias: false }),
  ...Object.entries(SCALINGS).flatMap(([name, scaling]) =>
    [
      ["within", 0],
      ["beyond", 6],
    ].map(([place, start]) => ({
      name: `${name}_${place}`,
      build: () => new RotaryEmbedding(8, { base: 100, scaling }),
      call: (module: RotaryEmbedding, [x]: Tensor[]) => [module.call(x, start as number)],
    })),
  ),
  ...[undefined, 4].map((capacityFactor) => ({
    name: "one_expert",
    build: () => new MixtureOfExperts(8, { ...oneExpert, capacityFactor }),
    call: (module: MixtureOfExperts, [x]: Tensor[], fixture: Fixture) =>
      Object.values(module.call(x, { paddingMask: fixture.tensor("some") })),
  })),
  {
    name: "mamba_biases",
    build: () => new Mamba(8, { stateSize: 4, timeStepRank: 2, bias: true, convBias: false }),
  },
  {
    name: "mamba_biases",
    build: () => new Mamba(8, { stateSize: 4, timeStepRank: 2, bias: true, convBias: false }),
    call: (module: Mamba, [x]: Tensor[]) => [module.advance(x).output],
  },
];

describeEachDevice(
  "more of attention and structures equals PyTorch's and Transformers', forward and backward",
  () => {
    for (const [index, layerCase] of CASES.entries())
      it(`${layerCase.name} (${index})`, async () => {
        await expectLikeTorch(await loadLayerFixture("attention-more"), layerCase);
      });

    it.each([
      ["a state-space block", () => new Mamba(8, { stateSize: 4 }), /^Mamba: .*\{ conv \[1, 3, 16\], scan/],
      [
        "linear attention",
        () => new LinearAttention(8, 2, { chunkLength: 2 }),
        /^LinearAttention: .*\{ sums \[1, 2, 4, 4\], keySums/,
      ],
    ] as const)("%s goes on from a state, piece by piece", async (_, build, message) => {
      const x = (await loadLayerFixture("attention-more")).tensor("mamba_biases/input0"); // [2, 5, 8]
      await expectNoLeak(async () => {
        const module = build();
        const whole = module instanceof Mamba ? module.call(x) : module.call(x, { isCausal: true });
        type Advance = (x: Tensor, state?: object) => { output: Tensor; state: Record<string, Tensor> };
        const advance = module.advance.bind(module) as unknown as Advance;
        let state: Record<string, Tensor> | undefined;
        let start = 0;
        for (const length of [3, 1, 1]) {
          const piece = narrow(x, { axis: 1, start, length });
          const result = advance(piece, state);
          const expected = narrow(whole, { axis: 1, start, length });
          await expect(result.output).toBeCloseToTensor(expected);
          dispose([piece, expected, result.output, ...Object.values(state ?? {})]);
          ({ state } = result);
          start += length;
        }
        const one = narrow(x, { axis: 0, start: 0, length: 1 });
        expect(() => advance(one, state)).toThrow(message);
        dispose([one, whole, ...Object.values(state!)]);
        module.dispose();
      });
      x.dispose();
    });

    it("an odd number of buckets leaves the last one unused, as T5 does", async () => {
      const [even, odd] = [8, 9].map(
        (numBuckets) => new RelativePositionBias(1, { numBuckets, maxDistance: 20 }),
      );
      even.parameters();
      const rows = [...(await read(even.weight.value))];
      odd.loadStateDict(
        new Map([["weight", { dtype: "float32", shape: [9, 1], values: Float32Array.of(...rows, 7) }]]),
      );
      const [expected, bias] = [even.call(12, 40), odd.call(12, 40)];
      await expect(bias).toBeCloseToTensor(expected);
      dispose([expected, bias]);
      for (const module of [even, odd]) module.dispose();
    });
  },
);
