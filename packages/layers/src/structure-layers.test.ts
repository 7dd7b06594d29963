import { concat, dispose, narrow, read, type Tensor, tensor, tidy, zeros } from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import * as layers from "./index.js";
import { expectLikeTorch, type LayerCase, loadLayerFixture } from "./testing/layer-cases.js";

const stack = { dimFeedforward: 6, dropout: 0, numLayers: 2 };
const llama3 = {
  type: "llama3",
  factor: 4,
  lowFrequencyFactor: 1,
  highFrequencyFactor: 4,
  originalLength: 16,
} as const;
const grouped = (options: layers.GroupedQueryAttentionOptions) => ({
  build: () => new layers.GroupedQueryAttention(8, 4, options),
  call: (module: layers.GroupedQueryAttention, [x]: Tensor[]) => [module.call(x).output],
});

/** The bias of the keys changes no softmax: its gradient is a sum that rounds to about 0. */
const tolerance = { absoluteScale: 5e-6 };

/** Attributes as in tooling/fixtures/layers/structure.py. */
const CASES: readonly LayerCase[] = [
  {
    name: "encoder_stack",
    tolerance,
    build: () => new layers.TransformerEncoder(8, 2, { ...stack, normFirst: true, finalNorm: true }),
  },
  {
    name: "encoder_stack",
    tolerance,
    build: () =>
      new layers.TransformerEncoder(8, 2, {
        ...stack,
        normFirst: true,
        finalNorm: true,
        checkpointing: true,
      }),
  },
  { name: "encoder_stack_post", tolerance, build: () => new layers.TransformerEncoder(8, 2, stack) },
  ...[false, true].map((checkpointing) => ({
    name: "decoder_stack",
    tolerance,
    build: () => new layers.TransformerDecoder(8, 2, { ...stack, finalNorm: true, checkpointing }),
    call: (module: layers.TransformerDecoder, [target, memory]: Tensor[]) => [
      module.call(target, memory, { target: { isCausal: true } }),
    ],
  })),
  { name: "grouped_query", ...grouped({ numKeyValueHeads: 2, rotary: { base: 100 } }) },
  {
    name: "grouped_query_one",
    ...grouped({ numKeyValueHeads: 1, headDim: 6, bias: true, rotary: { base: 100 } }),
  },
  { name: "grouped_query_llama3", ...grouped({ rotary: { base: 100, scaling: llama3 } }) },
  { name: "linear_attention", build: () => new layers.LinearAttention(8, 2) },
  // one chunk, and chunks whose last one is not full
  ...[5, 3].map((chunkLength) => ({
    name: "linear_attention_causal",
    build: () => new layers.LinearAttention(8, 2, { chunkLength }),
    call: (module: layers.LinearAttention, [x]: Tensor[]) => [module.call(x, { isCausal: true })],
  })),
  { name: "mamba", build: () => new layers.Mamba(8, { stateSize: 4 }) },
  {
    name: "mixture",
    build: () => new layers.MixtureOfExperts(8, { numExperts: 4, hiddenDim: 6 }),
    call: (module: layers.MixtureOfExperts, [x]: Tensor[]) => Object.values(module.call(x)),
  },
  // places enough for every token: the same as every expert on every token
  {
    name: "mixture",
    build: () => new layers.MixtureOfExperts(8, { numExperts: 4, hiddenDim: 6, capacityFactor: 4 }),
    call: (module: layers.MixtureOfExperts, [x]: Tensor[]) => Object.values(module.call(x)),
  },
  ...[true, false].map((bidirectional) => ({
    name: bidirectional ? "t5_both" : "t5_past",
    build: () => new layers.RelativePositionBias(2, { numBuckets: 8, maxDistance: 20, bidirectional }),
    call: (module: layers.RelativePositionBias) => [module.call(30, 40)],
  })),
];

describeEachDevice("structures equal PyTorch's and Transformers', forward and backward", () => {
  for (const [index, layerCase] of CASES.entries())
    it(`${layerCase.name} (${index})`, async () => {
      await expectLikeTorch(await loadLayerFixture("structure"), layerCase);
    });

  it("ALiBi's slopes are Bloom's", async () => {
    const fixture = await loadLayerFixture("structure");
    for (const heads of [4, 6]) {
      const bias = layers.alibiBias(heads, 1, 7); // one query at position 6
      const values = await read(bias);
      const expected = fixture.host(`alibi/${heads}`).values;
      for (let head = 0; head < heads; head++)
        for (let key = 0; key < 7; key++)
          expect(values[head * 7 + key]).toBeCloseTo(expected[head * 7 + key] - expected[head * 7 + 6], 5);
      bias.dispose();
    }
  });

  it("attention with a cache, token by token or in pieces, equals attention over the whole", async () => {
    const fixture = await loadLayerFixture("structure");
    await expectNoLeak(async () => {
      const module = new layers.GroupedQueryAttention(8, 4, { numKeyValueHeads: 2 });
      const x = fixture.tensor("grouped_query/input0"); // [2, 5, 8]
      const whole = module.call(x);
      for (const pieces of [
        [1, 1, 1, 1, 1],
        [2, 3],
      ]) {
        let cache: layers.KvCache | undefined;
        let start = 0;
        for (const length of pieces) {
          const piece = narrow(x, { axis: 1, start, length });
          const result = module.call(piece, { cache });
          const expected = narrow(whole.output, { axis: 1, start, length });
          await expect(result.output).toBeCloseToTensor(expected);
          layers.disposeCache(cache);
          cache = result.cache;
          start += length;
          dispose([piece, expected, result.output]);
        }
        expect(layers.cacheLength(cache)).toBe(5);
        // a query behind a cropped cache sees the last tokens at their distances, as if they stood alone
        const window = layers.cropCache(cache!, 2);
        expect(window.key.shape).toEqual([2, 2, 5 - 3, 2]);
        expect(layers.nextPosition(window)).toBe(5);
        const token = narrow(x, { axis: 1, start: 0, length: 1 });
        const alone = tidy(() => {
          const last = concat([narrow(x, { axis: 1, start: 3, length: 2 }), token], { axis: 1 }); // [2, 3, 8]
          return narrow(module.call(last).output, { axis: 1, start: 2, length: 1 }); // [2, 1, 8]
        });
        const next = module.call(token, { cache: window });
        await expect(next.output).toBeCloseToTensor(alone);
        expect(layers.nextPosition(next.cache)).toBe(6);
        for (const used of [window, cache, next.cache]) layers.disposeCache(used);
        dispose([token, alone, next.output]);
      }
      dispose([x, whole.output]);
      layers.disposeCache(whole.cache);
      module.dispose();
    });
  });

  it("decoding a batch that is padded on the left gives what each sequence gives alone", async () => {
    const x = (await loadLayerFixture("structure")).tensor("grouped_query/input0"); // [2, 5, 8]
    const padding = tensor([0, 0, 0, 0, 0, 1, 1, 0, 0, 0], [2, 5], "bool");
    await expectNoLeak(async () => {
      for (const rotary of [{}, false] as const) {
        const module = new layers.GroupedQueryAttention(8, 4, { numKeyValueHeads: 2, rotary });
        const positions = (queries: number, keys: number) =>
          rotary === false ? { attentionMask: layers.alibiBias(4, queries, keys) } : {};
        let cache: layers.KvCache | undefined;
        const outputs: Tensor[] = [];
        for (const [start, length] of [
          [0, 3],
          [3, 1],
          [4, 1],
        ]) {
          const keys = start + length;
          const result = tidy(() =>
            module.call(narrow(x, { axis: 1, start, length }), {
              cache,
              keyPaddingMask: narrow(padding, { axis: 1, start: 0, length: keys }),
              ...positions(length, keys),
            }),
          );
          layers.disposeCache(cache);
          cache = result.cache;
          outputs.push(result.output);
        }
        for (const [row, start] of [0, 2].entries()) {
          const length = 5 - start;
          const cut = (y: Tensor): Tensor =>
            narrow(narrow(y, { axis: 0, start: row, length: 1 }), { axis: 1, start, length }); // [1, length, 8]
          const [decoded, alone] = tidy(() => [
            cut(concat(outputs, { axis: 1 })),
            module.call(cut(x), positions(length, length)).output,
          ]);
          await expect(decoded).toBeCloseToTensor(alone);
          dispose([decoded, alone]);
        }
        layers.disposeCache(cache);
        dispose(outputs);
        module.dispose();
      }
    });
    const module = new layers.GroupedQueryAttention(8, 4);
    expect(() => module.call(x, { attentionMask: padding })).toThrow(
      /attentionMask \[5, 5\] or \[4, 5, 5\] or \[8, 5, 5\], or four axes/,
    );
    dispose([x, padding]);
    module.dispose();
  });

  it("linear attention does not see hidden keys; a query without any gives the output bias", async () => {
    await expectNoLeak(async () => {
      const module = new layers.LinearAttention(8, 2, { chunkLength: 2 });
      const x = (await loadLayerFixture("structure")).tensor("linear_attention/input0"); // [2, length, 8]
      const [, length] = x.shape;
      for (const isCausal of [false, true]) {
        const hidden = tensor(
          [1, 0].flatMap((first) => [first, ...Array(length - 2).fill(0), 1]),
          [2, length],
          "bool",
        );
        const seen = tidy(() => [
          narrow(module.call(x, { isCausal, keyPaddingMask: hidden }), {
            axis: 1,
            start: 1,
            length: length - 2,
          }), // [2, length − 2, 8]
          narrow(module.call(x, { isCausal, keyPaddingMask: hidden }), { axis: 1, start: 0, length: 1 }), // [2, 1, 8]
        ]);
        const expected = tidy(() => {
          const cut = (row: number, start: number): Tensor =>
            narrow(narrow(x, { axis: 0, start: row, length: 1 }), {
              axis: 1,
              start,
              length: length - 1 - start,
            });
          const first = module.call(cut(0, 1), { isCausal }); // [1, length − 2, 8]
          const second = narrow(module.call(cut(1, 0), { isCausal }), {
            axis: 1,
            start: 1,
            length: length - 2,
          });
          return concat([first, second], { axis: 0 }); // [2, length − 2, 8]
        });
        await expect(seen[0]).toBeCloseToTensor(expected);
        if (isCausal)
          expect([...(await seen[1].data())].slice(0, 8)).toEqual([
            ...(await module.outProjection.bias!.value.data()),
          ]);
        dispose([seen, expected, hidden]);
      }
      const wrong = zeros([2, 3], "bool");
      expect(() => module.call(x, { keyPaddingMask: wrong })).toThrow("keyPaddingMask");
      dispose([x, wrong]);
      module.dispose();
    });
  });

  it("a mixture without places drops what comes too late", async () => {
    const module = new layers.MixtureOfExperts(4, {
      numExperts: 2,
      topK: 1,
      hiddenDim: 3,
      capacityFactor: 0.5,
    });
    const x = zeros([1, 8, 4], "float32", 1); // all alike: all to one expert, which has 2 places
    const { output, balanceLoss } = tidy(() => module.call(x));
    const values = await read(output);
    const used = Array.from({ length: 8 }, (_, token) =>
      values.slice(4 * token, 4 * token + 4).some((v) => v !== 0),
    );
    expect(used).toEqual([true, true, false, false, false, false, false, false]);
    dispose([output, balanceLoss, x]);
    module.dispose();
  });

  it("adds positions from a start on, and refuses those beyond the table", async () => {
    const [long, short] = [zeros([1, 6, 4]), zeros([1, 2, 4])];
    for (const module of [
      new layers.SinusoidalPositionalEncoding(4),
      new layers.LearnedPositionalEncoding(6, 4),
    ]) {
      const [whole, part] = [module.call(long), module.call(short, 3)];
      const expected = narrow(whole, { axis: 1, start: 3, length: 2 });
      await expect(part).toBeCloseToTensor(expected);
      if (module instanceof layers.LearnedPositionalEncoding)
        expect(() => module.call(short, 5)).toThrow(/positions below 6, got 5 to 6/);
      dispose([whole, part, expected]);
      module.dispose();
    }
    dispose([long, short]);
  });
});
