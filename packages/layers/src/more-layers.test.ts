import {
  add,
  dispose,
  grad,
  linear,
  ones,
  read,
  square,
  sum,
  type Tensor,
  tensor,
  useDevice,
} from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { beforeAll, expect, it } from "vitest";
import * as layers from "./index.js";
import { expectLikeTorch, type LayerCase, loadLayerFixture } from "./testing/layer-cases.js";

/** Attributes as in tooling/fixtures/layers/more_layers.py. */
const CASES: readonly LayerCase[] = [
  { name: "relu6", build: () => new layers.ReLU6() },
  { name: "selu", build: () => new layers.SELU() },
  { name: "silu", build: () => new layers.SiLU() },
  { name: "mish", build: () => new layers.Mish() },
  { name: "hardswish", build: () => new layers.Hardswish() },
  { name: "hardsigmoid", build: () => new layers.Hardsigmoid() },
  { name: "sigmoid", build: () => new layers.Sigmoid() },
  { name: "tanh", build: () => new layers.Tanh() },
  { name: "log_sigmoid", build: () => new layers.LogSigmoid() },
  { name: "leaky_relu", build: () => new layers.LeakyReLU({ negativeSlope: 0.2 }) },
  { name: "elu", build: () => new layers.ELU({ alpha: 1.5 }) },
  { name: "celu", build: () => new layers.CELU({ alpha: 1.5 }) },
  { name: "softplus", build: () => new layers.Softplus({ beta: 2, threshold: 3 }) },
  { name: "hardtanh", build: () => new layers.Hardtanh({ min: -0.5, max: 1.5 }) },
  { name: "log_softmax", build: () => new layers.LogSoftmax({ axis: 1 }) },
  { name: "prelu", build: () => new layers.PReLU() },
  { name: "prelu_channels", build: () => new layers.PReLU({ numParameters: 5 }) },
  { name: "glu", build: () => new layers.GLU() },
  { name: "glu_axis", build: () => new layers.GLU({ axis: 1 }) },
  { name: "swiglu", build: () => new layers.SwiGLU() },
  { name: "geglu", build: () => new layers.GeGLU() },
  { name: "conv1d", build: () => new layers.Conv1d(4, 3, 3) },
  {
    name: "conv1d_options",
    build: () => new layers.Conv1d(4, 6, 3, { stride: 2, padding: 2, dilation: 2, groups: 2, bias: false }),
  },
  {
    name: "conv1d_same",
    build: () => new layers.Conv1d(4, 3, 4, { padding: "same", paddingMode: "reflect" }),
  },
  {
    name: "conv3d",
    build: () => new layers.Conv3d(2, 3, [2, 3, 2], { stride: [1, 2, 1], padding: [1, 1, 0] }),
  },
  {
    name: "conv3d_groups",
    build: () => new layers.Conv3d(2, 4, 2, { groups: 2, padding: 1, paddingMode: "circular" }),
  },
  { name: "conv_transpose1d", build: () => new layers.ConvTranspose1d(4, 3, 3) },
  {
    name: "conv_transpose1d_options",
    build: () =>
      new layers.ConvTranspose1d(4, 6, 3, {
        stride: 3,
        padding: 1,
        outputPadding: 2,
        dilation: 2,
        groups: 2,
        bias: false,
      }),
  },
  { name: "conv_transpose2d", build: () => new layers.ConvTranspose2d(4, 3, 2, { stride: 2 }) },
  {
    name: "conv_transpose2d_options",
    build: () =>
      new layers.ConvTranspose2d(4, 2, [3, 2], {
        stride: [2, 1],
        padding: [1, 0],
        outputPadding: [1, 0],
        groups: 2,
      }),
  },
  { name: "max_pool1d", build: () => new layers.MaxPool1d(3, { stride: 2, padding: 1 }) },
  {
    name: "max_pool3d",
    build: () => new layers.MaxPool3d([2, 1, 3], { stride: [2, 1, 2], ceilMode: true }),
  },
  {
    name: "avg_pool1d",
    build: () => new layers.AvgPool1d(3, { stride: 2, padding: 1, countIncludePad: false }),
  },
  { name: "avg_pool3d", build: () => new layers.AvgPool3d(2, { padding: 1 }) },
  { name: "group_norm", build: () => new layers.GroupNorm(2, 4) },
  { name: "group_norm_plain", build: () => new layers.GroupNorm(4, 4, { epsilon: 1e-3, affine: false }) },
  { name: "instance_norm1d", build: () => new layers.InstanceNorm1d(4) },
  { name: "instance_norm2d", build: () => new layers.InstanceNorm2d(4, { affine: true }) },
  { name: "rms_norm", build: () => new layers.RMSNorm(6) },
  { name: "rms_norm_plain", build: () => new layers.RMSNorm(6, { epsilon: 1e-3, elementwiseAffine: false }) },
  { name: "upsample_nearest", build: () => new layers.Upsample({ scaleFactor: [2, 1.5] }) },
  {
    name: "upsample_bilinear",
    build: () => new layers.Upsample({ size: [7, 4], mode: "bilinear", alignCorners: true }),
  },
  { name: "upsample_factor", build: () => new layers.Upsample({ scaleFactor: 1.5, mode: "bilinear" }) },
  {
    name: "upsample_trilinear",
    build: () => new layers.Upsample({ scaleFactor: [1.5, 1, 2], mode: "trilinear" }),
  },
  { name: "pixel_shuffle", build: () => new layers.PixelShuffle(2) },
  { name: "bilinear", build: () => new layers.Bilinear(4, 3, 2) },
  { name: "bilinear_axes", build: () => new layers.Bilinear(4, 3, 2) },
  { name: "rms_norm_axes", build: () => new layers.RMSNorm([3, 4]) },
  { name: "group_norm_no_bias", build: () => new layers.GroupNorm(2, 4, { bias: false }) },
  ...["", "_eval"].map((suffix) => ({
    name: `instance_norm_running${suffix}`,
    evaluation: suffix !== "",
    build: () =>
      new layers.InstanceNorm2d(3, { affine: true, bias: false, momentum: 0.3, trackRunningStats: true }),
  })),
  {
    name: "conv_transpose2d_size",
    build: () => new layers.ConvTranspose2d(2, 3, 3, { stride: [3, 2], padding: 1 }),
    call: (module: layers.ConvTranspose2d, [x]: Tensor[]) => [module.call(x, { outputSize: [9, 8] })],
  },
  { name: "softsign", build: () => new layers.Softsign() },
  { name: "tanhshrink", build: () => new layers.Tanhshrink() },
  { name: "softshrink", build: () => new layers.Softshrink({ lambda: 0.75 }) },
  { name: "hardshrink", build: () => new layers.Hardshrink({ lambda: 0.75 }) },
  { name: "threshold", build: () => new layers.Threshold({ threshold: 0.5, value: -3 }) },
  { name: "softmin", build: () => new layers.Softmin({ axis: 1 }) },
  { name: "batch_norm3d", build: () => new layers.BatchNorm3d(2) },
  { name: "instance_norm3d", build: () => new layers.InstanceNorm3d(2, { affine: true }) },
  {
    name: "conv_transpose3d",
    build: () =>
      new layers.ConvTranspose3d(2, 3, [2, 1, 3], {
        stride: [2, 1, 2],
        padding: [0, 0, 1],
        outputPadding: [1, 0, 1],
      }),
  },
  { name: "pixel_unshuffle", build: () => new layers.PixelUnshuffle(2) },
  {
    name: "upsample_nearest_exact",
    build: () => new layers.Upsample({ scaleFactor: [2.3, 0.7], mode: "nearest-exact" }),
  },
  {
    name: "upsample_nearest_exact3d",
    build: () => new layers.Upsample({ size: [3, 7, 4], mode: "nearest-exact" }),
  },
  { name: "batch_norm2d_empty", build: () => new layers.BatchNorm2d(3) },
  {
    name: "embedding_max_norm",
    build: () => new layers.Embedding(7, 4, { maxNorm: 0.5, normType: 3, paddingIdx: 0 }),
  },
  {
    name: "embedding_max_norm_eval",
    evaluation: true,
    build: () => new layers.Embedding(7, 4, { maxNorm: 0.5 }),
  },
  {
    name: "embedding_frequency",
    build: () => new layers.Embedding(7, 4, { scaleGradByFreq: true, paddingIdx: 2 }),
  },
  {
    name: "embedding_bag_frequency",
    build: () => new layers.EmbeddingBag(3, 4, { scaleGradByFreq: true, maxNorm: 0.75 }),
  },
  { name: "lp_pool1d", build: () => new layers.LPPool1d(3, 3, { stride: 2, ceilMode: true }) },
  { name: "lp_pool2d", build: () => new layers.LPPool2d(2, [2, 3]) },
  { name: "lp_pool3d", build: () => new layers.LPPool3d(4, 2, { stride: 1 }) },
  { name: "channel_shuffle", build: () => new layers.ChannelShuffle(2) },
  {
    name: "local_response_norm",
    build: () => new layers.LocalResponseNorm(4, { alpha: 0.5, beta: 0.6, k: 2 }),
  },
  { name: "constant_pad1d", build: () => new layers.ConstantPad1d([2, 1], 3.5) },
  { name: "zero_pad2d", build: () => new layers.ZeroPad2d([1, 0, 2, 3]) },
  { name: "reflection_pad2d", build: () => new layers.ReflectionPad2d([1, 3, 2, 0]) },
  { name: "replication_pad3d", build: () => new layers.ReplicationPad3d([1, 2, 0, 3, 4, 5]) },
  { name: "circular_pad3d", build: () => new layers.CircularPad3d([2, 1, 0, 3, 2, 1]) },
  { name: "unflatten", build: () => new layers.Unflatten(1, [2, 3, 4]) },
  { name: "unflatten_sequence", build: () => new layers.Unflatten(-1, [2, 3]) },
  { name: "celu_negative", build: () => new layers.CELU({ alpha: -1.5 }) },
  {
    name: "embedding_bag_nothing",
    build: () => new layers.EmbeddingBag(3, 4, { mode: "max" }),
    call: (module: layers.EmbeddingBag, [ids]: Tensor[]) => [module.call(ids, { offsets: [0, 0] })],
  },
  { name: "squeeze_excitation", build: () => new layers.SqueezeExcitation(4, 3) },
];

describeEachDevice("more layers equal PyTorch's, forward and backward", () => {
  for (const layerCase of CASES)
    it(layerCase.name, async () => {
      await expectLikeTorch(await loadLayerFixture("more-layers"), layerCase);
    });

  it("pads with −∞, as one does in front of max pooling", async () => {
    const lowest = Number.NEGATIVE_INFINITY;
    const x = tensor([-2, -3], [1, 2, 1]);
    const y = new layers.ConstantPad1d([1, 0], lowest).call(x);
    expect([...(await read(y))]).toEqual([lowest, -2, -3]);
    expect(() => new layers.ConstantPad1d(1, Number.NaN)).toThrow(/expected a number as value, got NaN/);
    dispose([x, y]);
  });
});

beforeAll(() => useDevice("cpu"));

it("an embedding limits norms in a table that nothing else needs as it was, and refuses others", () => {
  const layer = new layers.Embedding(3, 2, { maxNorm: 0.1 });
  layer.weight.setValue(ones([3, 2]));
  const ids = tensor([0, 2], [2], "int32");
  const table = layer.weight.value;
  const output = (x: Tensor): Tensor => sum(square(linear(x, layer.weight.value)));
  // the table as output layer: after the call that limits it, then before
  grad(() => output(layer.call(ids)), [table])[0].dispose();
  expect(layer.weight.value).toBe(table);
  layer.weight.setValue(ones([3, 2]));
  const inUse = (): Tensor => add(output(ones([1, 2])), sum(layer.call(ids)));
  expect(() => grad(inUse, [layer.weight.value])).toThrow(/Embedding: expected a table that nothing before/);
  expect(() => layers.weightNorm(layer).call(ids)).toThrow(/expected a stored float32 table for maxNorm/);
  expect(() => new layers.Embedding(3, 2, { maxNorm: 0 })).toThrow(/Embedding: expected a finite maxNorm/);
  expect(() => new layers.Embedding(3, 2, { normType: 1 })).toThrow(/normType only with maxNorm/);
  expect(() => new layers.EmbeddingBag(3, 2, { mode: "max", scaleGradByFreq: true })).toThrow(
    /got mode "max"/,
  );
});
