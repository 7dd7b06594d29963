import { dispose, InputError, memory, ShapeError, type Tensor, tensor, zeros } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import {
  type AnyModule,
  type AttentionMasks,
  applyLora,
  BatchNorm2d,
  Conv2d,
  type DepthwiseSeparableConv2d,
  type GroupNorm,
  LayerNorm,
  LinearMultiheadAttention,
  MultiheadAttention,
  quantizeModel,
  replaceModules,
  Sequential,
  TransformerDecoder,
  TransformerEncoderLayer,
  toDepthwiseSeparable,
  toLinearAttention,
  toNorm,
} from "../index.js";
import { expectLikeTorch, loadLayerFixture, storedState } from "../testing/layer-cases.js";

const hidden = () => tensor([0, 0, 0, 0, 0, 0, 0, 0, 1, 1], [2, 5], "bool");
const isAttention = (module: AnyModule) => module instanceof MultiheadAttention;

describeEachDevice("exchanges", () => {
  it("attends linearly to keys and values of other sizes", async () => {
    const fixture = await loadLayerFixture("exchanges");
    await expectLikeTorch(fixture, {
      name: "linear_cross",
      // the quotient's gradient is a difference of sums that are much larger
      tolerance: { absoluteScale: 5e-6 },
      build: () => new LinearMultiheadAttention(8, 2, { keyDim: 3, valueDim: 5 }),
      call: (module: LinearMultiheadAttention, [query, key, value]: Tensor[]) => [
        module.call(query, key, value, { keyPaddingMask: hidden() }).output,
      ],
    });
  });

  it("puts an attention's projections into linear attention", async () => {
    const fixture = await loadLayerFixture("exchanges");
    const before = memory().numTensors;
    for (const [name, masks] of [
      ["encoder_padded", (): AttentionMasks => ({ keyPaddingMask: hidden() })],
      ["encoder_causal", (): AttentionMasks => ({ isCausal: true })],
    ] as const) {
      const layer = new TransformerEncoderLayer(8, 2, { dimFeedforward: 6, dropout: 0 });
      layer.loadStateDict(storedState(fixture, name));
      const [row] = replaceModules(layer, isAttention, toLinearAttention);
      expect(row).toMatchObject({
        path: "self_attn",
        to: "LinearMultiheadAttention",
        kept: ["out_proj.weight", "out_proj.bias"],
        fresh: [],
        dropped: ["in_proj_weight", "in_proj_bias"],
      });
      expect(row.given).toHaveLength(6);
      const [x, options] = [fixture.tensor(`${name}/input0`), masks()];
      const y = layer.call(x, options);
      await expect(y).toBeCloseToTensor(fixture.host(`${name}/output0`));
      dispose([x, y, options.keyPaddingMask]);
      layer.dispose();
    }
    expect(memory().numTensors).toBe(before);
  });

  it("stands in both attentions of a decoder and refuses what it cannot do", () => {
    const model = new TransformerDecoder(8, 2, { numLayers: 1, dimFeedforward: 6 });
    expect(replaceModules(model, isAttention, toLinearAttention)).toHaveLength(2);
    const [target, source, pairs] = [zeros([1, 3, 8]), zeros([1, 5, 8]), zeros([3, 3])];
    const y = model.call(target, source, { target: { isCausal: true } });
    expect(y.shape).toEqual([1, 3, 8]);
    expect(() => model.call(target, source, { target: { attentionMask: pairs } })).toThrow(InputError);
    expect(() => model.call(target, source, { memory: { isCausal: true } })).toThrow(ShapeError);
    const attention = new LinearMultiheadAttention(8, 2);
    expect(() => attention.call(target, target, target, { weights: "heads" })).toThrow(
      /no matrix of weights/,
    );
    expect(() => toLinearAttention(attention as never)).toThrow(InputError);
    const adapted = new MultiheadAttention(8, 2);
    applyLora(adapted, { targetModules: ["out_proj"] }); // its parts count too
    expect(() => toLinearAttention(adapted)).toThrow(/without adapters/);
    adapted.dispose();
    const more = new MultiheadAttention(8, 2, { addZeroAttention: true });
    expect(() => toLinearAttention(more)).toThrow(/without keys of its own/);
    dispose([target, source, pairs, y]);
    model.dispose();
    attention.dispose();
  });

  it.each([
    ["separable_whole", 1],
    ["separable_groups", 2],
  ])("makes the nearest depthwise-separable convolution: %s", async (name, groups) => {
    const fixture = await loadLayerFixture("exchanges");
    const before = memory().numTensors;
    const options = { stride: [2, 1], padding: 1, groups };
    const model = new Sequential(new Conv2d(4, 6, [3, 2], options), new Conv2d(6, 6, 1));
    model.layers[0].loadStateDict(storedState(fixture, name));
    const rows = replaceModules(model, (module) => module instanceof Conv2d, toDepthwiseSeparable);
    expect(rows).toMatchObject([
      { path: "0", given: ["depthwise.weight", "pointwise.weight", "pointwise.bias"], fresh: [] },
    ]);
    const made = model.layers[0] as DepthwiseSeparableConv2d;
    const x = fixture.tensor(`${name}/input0`);
    const y = made.call(x);
    await expect(y).toBeCloseToTensor(fixture.host(`${name}/output0`), { absoluteScale: 5e-6 });
    expect(toDepthwiseSeparable(made.depthwise)).toBe(made.depthwise);
    expect(() => toDepthwiseSeparable(made as never)).toThrow(InputError);
    quantizeModel(made);
    expect(() => toDepthwiseSeparable(made.depthwise)).toThrow(/expected float32 weights, got a Conv2d/);
    dispose([x, y]);
    model.dispose();
    expect(memory().numTensors).toBe(before);
  });

  it("makes a norm of another with its weight and bias", async () => {
    const before = memory().numTensors;
    const model = new Sequential(new BatchNorm2d(4, { epsilon: 1e-3 }), new LayerNorm(4, { bias: false }));
    (model.layers[0] as BatchNorm2d).bias!.setValue(tensor([1, 2, 3, 4]));
    const rows = replaceModules<BatchNorm2d>(
      model,
      (_, path) => path === "0",
      toNorm("GroupNorm", { numGroups: 2 }),
    );
    expect(rows).toMatchObject([
      { kept: ["weight", "bias"], dropped: ["running_mean", "running_var", "num_batches_tracked"] },
    ]);
    const [norm] = model.layers as unknown as [GroupNorm];
    expect([norm.numGroups, norm.epsilon]).toEqual([2, 1e-3]);
    await expect(norm.bias!.value).toBeCloseToTensor({ shape: [4], dtype: "float32", values: [1, 2, 3, 4] });
    replaceModules<LayerNorm>(model, (_, path) => path === "1", toNorm("RMSNorm"));
    expect((model.layers[1] as unknown as LayerNorm).epsilon).toBe(1e-5);
    expect(() => toNorm("GroupNorm")).toThrow(InputError);
    expect(() => toNorm("Norm" as never)).toThrow(InputError);
    expect(() => toNorm("RMSNorm")(new LayerNorm([2, 3]))).toThrow(/one axis/);
    expect(() => toNorm("RMSNorm")(model as never)).toThrow(InputError);
    model.dispose();
    expect(memory().numTensors).toBe(before);
  });
});
