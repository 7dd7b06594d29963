import { InputError, reshape, ShapeError, type Tensor, tensor, zeros } from "@ai/tensor";
import { describeEachDevice, expectNoLeak, type Fixture } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import {
  MultiheadAttention,
  type MultiheadAttentionCallOptions,
  TransformerDecoderLayer,
  TransformerEncoderLayer,
} from "./index.js";
import { expectLikeTorch, type LayerCase, loadLayerFixture } from "./testing/layer-cases.js";

type AttentionCall = (attention: MultiheadAttention, inputs: Tensor[], fixture: Fixture) => Tensor[];

/** Attends with one, two or three inputs. */
function attend(optionsOf: (fixture: Fixture) => MultiheadAttentionCallOptions): AttentionCall {
  return (attention, inputs, fixture) => {
    const [query, key = query, value = key] = inputs;
    const { output, weights } = attention.call(query, key, value, optionsOf(fixture));
    return weights === undefined ? [output] : [output, weights];
  };
}

const PRE = { normFirst: true, activation: "gelu", epsilon: 1e-4 } as const;
const SMALL = { dimFeedforward: 16, dropout: 0 };

function encode(layer: TransformerEncoderLayer, [x]: Tensor[], fixture: Fixture): Tensor[] {
  return [
    layer.call(x, { attentionMask: fixture.tensor("causal"), keyPaddingMask: fixture.tensor("padding") }),
  ];
}

function decode(layer: TransformerDecoderLayer, [target, memory]: Tensor[], fixture: Fixture): Tensor[] {
  return [
    layer.call(target, memory, {
      target: { isCausal: true, keyPaddingMask: fixture.tensor("padding") },
      memory: { keyPaddingMask: fixture.tensor("memory_padding") },
    }),
  ];
}

/** Attributes as in tooling/fixtures/layers/attention.py. */
const CASES: readonly LayerCase[] = [
  { name: "self", build: () => new MultiheadAttention(8, 2), call: attend(() => ({ weights: "average" })) },
  {
    name: "self_masked",
    build: () => new MultiheadAttention(8, 2, { bias: false }),
    call: attend((fixture) => ({
      weights: "heads",
      isCausal: true,
      keyPaddingMask: fixture.tensor("padding"),
    })),
  },
  {
    name: "self_no_weights",
    build: () => new MultiheadAttention(8, 2),
    call: attend((fixture) => ({
      attentionMask: fixture.tensor("causal"),
      keyPaddingMask: fixture.tensor("padding"),
    })),
  },
  {
    name: "self_per_head",
    build: () => new MultiheadAttention(8, 2),
    call: attend((fixture) => ({ weights: "average", attentionMask: fixture.tensor("per_head") })),
  },
  {
    name: "cross",
    build: () => new MultiheadAttention(8, 2, { keyDim: 5, valueDim: 6 }),
    call: attend((fixture) => ({ weights: "average", keyPaddingMask: fixture.tensor("memory_padding") })),
  },
  {
    name: "cross_additive",
    build: () => new MultiheadAttention(8, 2),
    call: attend((fixture) => ({ weights: "average", attentionMask: fixture.tensor("additive") })),
  },
  // a bias that is learned, one set a head for all sequences: with four axes and with three, fused and not
  ...(["none", "average"] as const).map((weights) => ({
    name: "self_biased",
    build: () => new MultiheadAttention(8, 2),
    call: (attention: MultiheadAttention, [x, bias]: Tensor[]) => {
      const attentionMask = weights === "none" ? bias : reshape(bias, [2, 4, 4]);
      return [attention.call(x, x, x, { attentionMask, weights }).output];
    },
  })),
  { name: "encoder_post", build: () => new TransformerEncoderLayer(8, 2, SMALL), call: encode },
  { name: "encoder_pre", build: () => new TransformerEncoderLayer(8, 2, { ...SMALL, ...PRE }), call: encode },
  { name: "encoder_no_bias", build: () => new TransformerEncoderLayer(8, 2, { ...SMALL, bias: false }) },
  { name: "decoder_post", build: () => new TransformerDecoderLayer(8, 2, SMALL), call: decode },
  {
    name: "decoder_pre",
    build: () => new TransformerDecoderLayer(8, 2, { ...SMALL, ...PRE }),
    call: decode,
    tolerance: { relative: 5e-5 }, // one sum of a bias' gradient cancels to a thirtieth of its terms
  },
];

describeEachDevice("attention layers equal PyTorch's, forward and backward", () => {
  for (const layerCase of CASES)
    it(layerCase.name, async () => {
      await expectLikeTorch(await loadLayerFixture("attention"), layerCase);
    });

  it("gives the output bias alone where every key is hidden", async () => {
    const attention = new MultiheadAttention(4, 2);
    const x = tensor([1, 2, 3, 4], [1, 1, 4]);
    const keyPaddingMask = tensor([[true]]);
    attention.parameters();
    const bias = attention.outProjection.bias!;
    bias.setValue(tensor([1, 2, 3, 4]));
    for (const weights of ["none", "heads"] as const) {
      const result = attention.call(x, x, x, { keyPaddingMask, weights });
      await expect(result.output).toBeCloseToTensor({
        shape: [1, 1, 4],
        dtype: "float32",
        values: [1, 2, 3, 4],
      });
      result.output.dispose();
      result.weights?.dispose();
    }
    for (const owner of [x, keyPaddingMask, attention]) owner.dispose();
  });

  it("does not leak, dropout included", async () => {
    const layer = new TransformerDecoderLayer(8, 2, { dimFeedforward: 16, dropout: 0.5 });
    await expectNoLeak(() => {
      const [target, memory] = [zeros([2, 3, 8]), zeros([2, 4, 8])];
      for (const owner of [layer.call(target, memory, { target: { isCausal: true } }), target, memory])
        owner.dispose();
    });
    layer.dispose();
  });

  it("refuses inputs and masks that do not fit", () => {
    const attention = new MultiheadAttention(8, 2);
    const [x, short, narrow, mask, integers] = [
      zeros([2, 3, 8]),
      zeros([1, 3, 8]),
      zeros([2, 3, 4]),
      zeros([3, 2], "bool"),
      zeros([2, 3], "int32"),
    ];
    expect(() => attention.call(narrow, x, x)).toThrow(
      /^MultiheadAttention: expected an input \[batch, queries, 8\]/,
    );
    expect(() => attention.call(x, short, short)).toThrow(ShapeError);
    expect(() => attention.call(x, x, x, { keyPaddingMask: mask })).toThrow(ShapeError);
    expect(() => attention.call(x, x, x, { keyPaddingMask: integers })).toThrow(InputError);
    expect(() => attention.call(x, x, x, { weights: "all" as "heads" })).toThrow(InputError);
    for (const owner of [x, short, narrow, mask, integers, attention]) owner.dispose();
  });
});

describe("attention layers", () => {
  it("refuse sizes and options out of range", () => {
    expect(() => new MultiheadAttention(8, 3)).toThrow(InputError);
    expect(() => new MultiheadAttention(8, 2, { dropout: 1 })).toThrow(InputError);
    expect(() => new TransformerEncoderLayer(8, 2, { activation: "tanh" as "relu" })).toThrow(InputError);
    expect(() => new TransformerDecoderLayer(8, 2, { dropout: -1 })).toThrow(InputError);
  });
});
