import { describeEachDevice } from "@ai/tensor/testing";
import { it } from "vitest";
import {
  AdaptiveAvgPool2d,
  AvgPool2d,
  BatchNorm1d,
  BatchNorm2d,
  Conv2d,
  Dropout,
  Embedding,
  Flatten,
  GELU,
  Identity,
  LayerNorm,
  Linear,
  MaxPool2d,
  ReLU,
  Sequential,
  Softmax,
} from "./index.js";
import { expectLikeTorch, type LayerCase, loadLayerFixture } from "./testing/layer-cases.js";

/** Attributes as in tooling/fixtures/layers/layers.py. */
const CASES: readonly LayerCase[] = [
  { name: "linear", build: () => new Linear(5, 3) },
  { name: "linear_no_bias", build: () => new Linear(5, 3, { bias: false }) },
  { name: "linear_vector", build: () => new Linear(5, 3) },
  { name: "conv2d", build: () => new Conv2d(4, 3, 3) },
  {
    name: "conv2d_stride",
    build: () => new Conv2d(4, 3, [3, 2], { stride: [2, 1], padding: [1, 0], bias: false }),
  },
  {
    name: "conv2d_same",
    build: () => new Conv2d(4, 3, [3, 2], { padding: "same", dilation: [2, 1] }),
  },
  { name: "conv2d_groups", build: () => new Conv2d(4, 6, 3, { padding: 1, groups: 2 }) },
  {
    name: "conv2d_depthwise",
    build: () => new Conv2d(4, 8, 3, { padding: "valid", groups: 4, dilation: [1, 2] }),
  },
  ...(["reflect", "replicate", "circular"] as const).map((paddingMode) => ({
    name: `conv2d_${paddingMode}`,
    build: () => new Conv2d(4, 2, 3, { padding: [1, 2], paddingMode }),
  })),
  {
    name: "conv2d_same_reflect",
    build: () => new Conv2d(4, 2, [2, 3], { padding: "same", paddingMode: "reflect" }),
  },
  { name: "batch_norm1d", build: () => new BatchNorm1d(4) },
  { name: "batch_norm1d_sequence", build: () => new BatchNorm1d(4, { momentum: 0.3 }) },
  { name: "batch_norm1d_eval", build: () => new BatchNorm1d(4), evaluation: true },
  { name: "batch_norm2d", build: () => new BatchNorm2d(4, { epsilon: 1e-3 }) },
  { name: "batch_norm2d_eval", build: () => new BatchNorm2d(4), evaluation: true },
  { name: "batch_norm2d_cumulative", build: () => new BatchNorm2d(4, { momentum: null, affine: false }) },
  {
    name: "batch_norm2d_untracked",
    build: () => new BatchNorm2d(4, { trackRunningStats: false }),
    evaluation: true,
  },
  { name: "layer_norm", build: () => new LayerNorm(8) },
  { name: "layer_norm_axes", build: () => new LayerNorm([3, 8], { epsilon: 1e-3 }) },
  { name: "layer_norm_no_bias", build: () => new LayerNorm(8, { bias: false }) },
  { name: "layer_norm_plain", build: () => new LayerNorm(8, { elementwiseAffine: false }) },
  { name: "max_pool2d", build: () => new MaxPool2d(2) },
  {
    name: "max_pool2d_padding",
    build: () => new MaxPool2d([3, 2], { stride: [2, 1], padding: 1, ceilMode: true }),
  },
  { name: "max_pool2d_dilation", build: () => new MaxPool2d(2, { stride: 1, dilation: 2 }) },
  { name: "avg_pool2d", build: () => new AvgPool2d(2) },
  { name: "avg_pool2d_padding", build: () => new AvgPool2d(3, { stride: 2, padding: 1 }) },
  {
    name: "avg_pool2d_exclude",
    build: () => new AvgPool2d(3, { stride: 2, padding: 1, ceilMode: true, countIncludePad: false }),
  },
  { name: "adaptive_avg_pool2d", build: () => new AdaptiveAvgPool2d(1) },
  { name: "adaptive_avg_pool2d_uneven", build: () => new AdaptiveAvgPool2d([3, null]) },
  { name: "embedding", build: () => new Embedding(7, 4) },
  { name: "embedding_padding", build: () => new Embedding(7, 4, { paddingIdx: -6 }) },
  { name: "relu", build: () => new ReLU() },
  { name: "gelu", build: () => new GELU() },
  { name: "gelu_tanh", build: () => new GELU({ approximate: "tanh" }) },
  { name: "softmax", build: () => new Softmax() },
  { name: "softmax_axis", build: () => new Softmax({ axis: 1 }) },
  { name: "identity", build: () => new Identity() },
  { name: "dropout_eval", build: () => new Dropout(0.4), evaluation: true },
  { name: "flatten", build: () => new Flatten() },
  { name: "flatten_sequence", build: () => new Flatten() },
  {
    name: "sequential",
    build: () =>
      new Sequential(
        new Conv2d(2, 4, 3, { padding: 1, bias: false }),
        new BatchNorm2d(4),
        new ReLU(),
        new Sequential(new MaxPool2d(2), new Flatten()),
        new Linear(24, 5),
      ),
  },
];

describeEachDevice("layers equal PyTorch's, forward and backward", () => {
  for (const layerCase of CASES)
    it(layerCase.name, async () => {
      await expectLikeTorch(await loadLayerFixture("layers"), layerCase);
    });
});
