import {
  type AiError,
  dispose,
  isAiError,
  RandomGenerator,
  randomNormal,
  type Tensor,
  tensor,
  writeSafetensors,
  zeros,
} from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import type { AnyModule } from "./index.js";
import * as layers from "./index.js";

/** A layer of every class, an input for it and one that it must refuse. */
interface Subject {
  readonly build: () => AnyModule;
  readonly inputs: () => Tensor[];
  readonly outputShapes: readonly (readonly number[])[];
  /** Absent where a layer takes any tensor. */
  readonly refuses?: () => Tensor[];
}

const normal = (...shape: number[]): Tensor => randomNormal(shape, { generator: new RandomGenerator(1) });
const pool = { inputs: () => [normal(2, 4, 6, 3)], refuses: () => [zeros([2, 4, 6])] };
const any = { inputs: () => [normal(2, 3)], outputShapes: [[2, 3]] };
const image = { inputs: () => [normal(2, 5, 6, 4)], refuses: () => [zeros([2, 4, 5, 6])] };

const flat = () => [zeros([2, 4])];
const tokens = {
  inputs: () => [normal(2, 5, 4)],
  outputShapes: [[2, 5, 4]],
  refuses: () => [zeros([2, 5, 3])],
};
const halves = { inputs: () => [normal(2, 6)], outputShapes: [[2, 3]], refuses: () => [zeros([2, 3])] };
const sequence = { inputs: () => [normal(2, 7, 4)], refuses: () => [zeros([2, 7, 3])] };
const volume = { inputs: () => [normal(2, 3, 4, 5, 3)], refuses: () => [zeros([2, 3, 4, 5, 2])] };

const pair = {
  inputs: () => [normal(2, 3), normal(2, 3)],
  outputShapes: [[2]],
  refuses: () => [zeros([2, 3]), zeros([2, 2])],
};
const evenly = (count: number) => Array.from({ length: count }, (_, index) => index / count);

const byAxes = [
  { ...sequence, shape: [2, 7, 4] },
  { ...image, shape: [2, 5, 6, 4] },
  { ...volume, shape: [2, 3, 4, 5, 3] },
];

const lpPools: Record<string, Subject> = Object.fromEntries(
  ([layers.LPPool1d, layers.LPPool2d, layers.LPPool3d] as const).map((Layer, index): [string, Subject] => {
    const { inputs, shape } = byAxes[index];
    const outputShape = shape.map((length, axis) =>
      axis === 0 || axis === shape.length - 1 ? length : Math.floor(length / 2),
    );
    return [Layer.name, { build: () => new Layer(2, 2), inputs, outputShapes: [outputShape], refuses: flat }];
  }),
);

/** The layers that only add cells, alike but for the mode: one cell on each side. */
const paddings: Record<string, Subject> = Object.fromEntries(
  [
    [
      layers.ConstantPad1d,
      layers.ZeroPad1d,
      layers.ReflectionPad1d,
      layers.ReplicationPad1d,
      layers.CircularPad1d,
    ],
    [
      layers.ConstantPad2d,
      layers.ZeroPad2d,
      layers.ReflectionPad2d,
      layers.ReplicationPad2d,
      layers.CircularPad2d,
    ],
    [
      layers.ConstantPad3d,
      layers.ZeroPad3d,
      layers.ReflectionPad3d,
      layers.ReplicationPad3d,
      layers.CircularPad3d,
    ],
  ].flatMap((classes, index) => {
    const { inputs, shape } = byAxes[index];
    const outputShape = shape.map((length, axis) =>
      axis === 0 || axis === shape.length - 1 ? length : length + 2,
    );
    return classes.map((Layer): [string, Subject] => [
      Layer.name,
      { build: () => new Layer(1, 0.5), inputs, outputShapes: [outputShape], refuses: flat },
    ]);
  }),
);

const SUBJECTS: Readonly<Record<string, Subject>> = {
  Linear: {
    build: () => new layers.Linear(3, 4),
    inputs: () => [normal(2, 3)],
    outputShapes: [[2, 4]],
    refuses: () => [zeros([2, 4])],
  },
  Conv2d: { build: () => new layers.Conv2d(4, 2, 3, { padding: 1 }), ...image, outputShapes: [[2, 5, 6, 2]] },
  BatchNorm1d: { build: () => new layers.BatchNorm1d(3), ...any, refuses: () => [zeros([2, 2])] },
  BatchNorm2d: { build: () => new layers.BatchNorm2d(4), ...image, outputShapes: [[2, 5, 6, 4]] },
  LayerNorm: { build: () => new layers.LayerNorm(3), ...any, refuses: () => [zeros([2, 4])] },
  MaxPool2d: { build: () => new layers.MaxPool2d(2), ...pool, outputShapes: [[2, 2, 3, 3]] },
  AvgPool2d: { build: () => new layers.AvgPool2d(2), ...pool, outputShapes: [[2, 2, 3, 3]] },
  AdaptiveAvgPool2d: {
    build: () => new layers.AdaptiveAvgPool2d([1, 2]),
    ...pool,
    outputShapes: [[2, 1, 2, 3]],
  },
  Dropout: { build: () => new layers.Dropout(0.5), ...any },
  Embedding: {
    build: () => new layers.Embedding(5, 3),
    inputs: () => [tensor(Int32Array.of(0, 4, 1, 1), [2, 2])],
    outputShapes: [[2, 2, 3]],
    refuses: () => [zeros([2, 2])],
  },
  QuantizedLinear: {
    build: () => new layers.QuantizedLinear(3, 4),
    inputs: () => [normal(2, 3)],
    outputShapes: [[2, 4]],
    refuses: () => [zeros([2, 4])],
  },
  QuantizedEmbedding: {
    build: () => new layers.QuantizedEmbedding(5, 3),
    inputs: () => [tensor(Int32Array.of(0, 4, 1, 1), [2, 2])],
    outputShapes: [[2, 2, 3]],
    refuses: () => [zeros([2, 2])],
  },
  ReLU: { build: () => new layers.ReLU(), ...any },
  GELU: { build: () => new layers.GELU(), ...any },
  Softmax: { build: () => new layers.Softmax({ axis: 1 }), ...any, refuses: () => [zeros([2])] },
  ReLU6: { build: () => new layers.ReLU6(), ...any },
  SELU: { build: () => new layers.SELU(), ...any },
  SiLU: { build: () => new layers.SiLU(), ...any },
  Mish: { build: () => new layers.Mish(), ...any },
  Hardswish: { build: () => new layers.Hardswish(), ...any },
  Hardsigmoid: { build: () => new layers.Hardsigmoid(), ...any },
  Sigmoid: { build: () => new layers.Sigmoid(), ...any },
  Tanh: { build: () => new layers.Tanh(), ...any },
  LogSigmoid: { build: () => new layers.LogSigmoid(), ...any },
  LeakyReLU: { build: () => new layers.LeakyReLU(), ...any },
  ELU: { build: () => new layers.ELU(), ...any },
  CELU: { build: () => new layers.CELU(), ...any },
  Softplus: { build: () => new layers.Softplus(), ...any },
  Hardtanh: { build: () => new layers.Hardtanh(), ...any },
  LogSoftmax: { build: () => new layers.LogSoftmax({ axis: 1 }), ...any, refuses: () => [zeros([2])] },
  PReLU: { build: () => new layers.PReLU({ numParameters: 3 }), ...any, refuses: () => [zeros([2, 4])] },
  GLU: { build: () => new layers.GLU(), ...halves },
  SwiGLU: { build: () => new layers.SwiGLU(), ...halves },
  GeGLU: { build: () => new layers.GeGLU(), ...halves },
  Conv1d: { build: () => new layers.Conv1d(4, 6, 3, { groups: 2 }), ...sequence, outputShapes: [[2, 5, 6]] },
  Conv3d: { build: () => new layers.Conv3d(3, 2, 2), ...volume, outputShapes: [[2, 2, 3, 4, 2]] },
  ConvTranspose1d: {
    build: () => new layers.ConvTranspose1d(4, 2, 3, { stride: 2 }),
    ...sequence,
    outputShapes: [[2, 15, 2]],
  },
  ConvTranspose2d: {
    build: () => new layers.ConvTranspose2d(4, 2, 2, { stride: 2 }),
    ...image,
    outputShapes: [[2, 10, 12, 2]],
  },
  MaxPool1d: { build: () => new layers.MaxPool1d(2), ...sequence, outputShapes: [[2, 3, 4]], refuses: flat },
  AvgPool1d: { build: () => new layers.AvgPool1d(2), ...sequence, outputShapes: [[2, 3, 4]], refuses: flat },
  MaxPool3d: {
    build: () => new layers.MaxPool3d(2),
    ...volume,
    outputShapes: [[2, 1, 2, 2, 3]],
    refuses: flat,
  },
  AvgPool3d: {
    build: () => new layers.AvgPool3d(2),
    ...volume,
    outputShapes: [[2, 1, 2, 2, 3]],
    refuses: flat,
  },
  MaxUnpool1d: {
    build: () => new layers.MaxUnpool1d(2),
    inputs: () => [normal(2, 2, 3), tensor(Int32Array.of(0, 1, 0, 3, 2, 2, 1, 1, 1, 2, 3, 3), [2, 2, 3])],
    outputShapes: [[2, 4, 3]],
    refuses: () => [zeros([2, 2, 3]), zeros([2, 2, 2], "int32")],
  },
  MaxUnpool2d: {
    build: () => new layers.MaxUnpool2d(2),
    inputs: () => [normal(1, 1, 2, 2), tensor(Int32Array.of(0, 5, 3, 6), [1, 1, 2, 2])],
    outputShapes: [[1, 2, 4, 2]],
    refuses: () => [zeros([1, 2, 2]), zeros([1, 2, 2], "int32")],
  },
  MaxUnpool3d: {
    build: () => new layers.MaxUnpool3d(2),
    inputs: () => [normal(1, 1, 1, 2, 2), tensor(Int32Array.of(0, 5, 15, 6), [1, 1, 1, 2, 2])],
    outputShapes: [[1, 2, 2, 4, 2]],
    refuses: () => [zeros([1, 1, 1, 2, 2]), zeros([1, 1, 1, 2, 2])],
  },
  AdaptiveAvgPool1d: {
    build: () => new layers.AdaptiveAvgPool1d(3),
    ...sequence,
    outputShapes: [[2, 3, 4]],
    refuses: flat,
  },
  AdaptiveAvgPool3d: {
    build: () => new layers.AdaptiveAvgPool3d([2, null, 1]),
    ...volume,
    outputShapes: [[2, 2, 4, 1, 3]],
    refuses: flat,
  },
  AdaptiveMaxPool1d: {
    build: () => new layers.AdaptiveMaxPool1d(3, { returnIndices: true }),
    ...sequence,
    outputShapes: [
      [2, 3, 4],
      [2, 3, 4],
    ],
    refuses: flat,
  },
  AdaptiveMaxPool2d: {
    build: () => new layers.AdaptiveMaxPool2d([1, 2]),
    ...pool,
    outputShapes: [[2, 1, 2, 3]],
  },
  AdaptiveMaxPool3d: {
    build: () => new layers.AdaptiveMaxPool3d(2),
    ...volume,
    outputShapes: [[2, 2, 2, 2, 3]],
    refuses: flat,
  },
  EmbeddingBag: {
    build: () => new layers.EmbeddingBag(5, 3, { paddingIdx: 0 }),
    inputs: () => [tensor(Int32Array.of(0, 4, 1, 1), [2, 2])],
    outputShapes: [[2, 3]],
    refuses: () => [zeros([2, 2])],
  },
  GroupNorm: {
    build: () => new layers.GroupNorm(2, 4),
    ...image,
    outputShapes: [[2, 5, 6, 4]],
  },
  InstanceNorm1d: { build: () => new layers.InstanceNorm1d(4), ...sequence, outputShapes: [[2, 7, 4]] },
  InstanceNorm2d: { build: () => new layers.InstanceNorm2d(4), ...image, outputShapes: [[2, 5, 6, 4]] },
  RMSNorm: { build: () => new layers.RMSNorm(3), ...any, refuses: () => [zeros([2, 4])] },
  Upsample: {
    build: () => new layers.Upsample({ scaleFactor: 2 }),
    ...image,
    outputShapes: [[2, 10, 12, 4]],
    refuses: flat,
  },
  PixelShuffle: {
    build: () => new layers.PixelShuffle(2),
    ...image,
    outputShapes: [[2, 10, 12, 1]],
    refuses: flat,
  },
  StochasticDepth: { build: () => new layers.StochasticDepth(0.5), ...any },
  SqueezeExcitation: {
    build: () => new layers.SqueezeExcitation(4, 2),
    ...image,
    outputShapes: [[2, 5, 6, 4]],
  },
  SinusoidalPositionalEncoding: { build: () => new layers.SinusoidalPositionalEncoding(4), ...tokens },
  LearnedPositionalEncoding: { build: () => new layers.LearnedPositionalEncoding(6, 4), ...tokens },
  RotaryEmbedding: {
    build: () => new layers.RotaryEmbedding(4),
    inputs: () => [normal(2, 3, 5, 4)],
    outputShapes: [[2, 3, 5, 4]],
    refuses: () => [zeros([2, 3, 5, 2])],
  },
  TransformerEncoder: {
    build: () =>
      new layers.TransformerEncoder(4, 2, { numLayers: 2, dimFeedforward: 6, checkpointing: true }),
    ...tokens,
  },
  TransformerDecoder: {
    build: () => new layers.TransformerDecoder(4, 2, { numLayers: 2, dimFeedforward: 6, finalNorm: true }),
    inputs: () => [normal(2, 3, 4), normal(2, 5, 4)],
    outputShapes: [[2, 3, 4]],
    refuses: () => [zeros([2, 3, 4]), zeros([2, 5, 3])],
  },
  Transformer: {
    build: () =>
      new layers.Transformer(4, 2, { numEncoderLayers: 1, numDecoderLayers: 1, dimFeedforward: 6 }),
    inputs: () => [normal(2, 5, 4), normal(2, 3, 4)],
    outputShapes: [[2, 3, 4]],
    refuses: () => [zeros([2, 5, 3]), zeros([2, 3, 4])],
  },
  GroupedQueryAttention: {
    build: () => new layers.GroupedQueryAttention(4, 2, { numKeyValueHeads: 1, dropout: 0.5 }),
    ...tokens,
    outputShapes: [
      [2, 5, 4],
      [2, 1, 5, 2],
      [2, 1, 5, 2],
    ],
  },
  LinearAttention: { build: () => new layers.LinearAttention(4, 2), ...tokens },
  Mamba: { build: () => new layers.Mamba(4, { stateSize: 2 }), ...tokens },
  MixtureOfExperts: {
    build: () => new layers.MixtureOfExperts(4, { numExperts: 3, hiddenDim: 2 }),
    ...tokens,
    outputShapes: [[2, 5, 4], []],
  },
  Bilinear: {
    build: () => new layers.Bilinear(3, 2, 4),
    inputs: () => [normal(2, 3), normal(2, 2)],
    outputShapes: [[2, 4]],
    refuses: () => [zeros([2, 3]), zeros([2, 3])],
  },
  ConditionalRandomField: {
    build: () => new layers.ConditionalRandomField(4),
    inputs: () => [normal(2, 3, 4), zeros([2, 3], "int32")],
    outputShapes: [[]],
    refuses: () => [zeros([2, 3, 5]), zeros([2, 3], "int32")],
  },
  Flatten: {
    build: () => new layers.Flatten(),
    inputs: () => [normal(2, 3, 4, 5)],
    outputShapes: [[2, 60]],
    refuses: () => [zeros([2])],
  },
  Softsign: { build: () => new layers.Softsign(), ...any },
  Tanhshrink: { build: () => new layers.Tanhshrink(), ...any },
  Softshrink: { build: () => new layers.Softshrink(), ...any },
  Hardshrink: { build: () => new layers.Hardshrink(), ...any },
  Threshold: { build: () => new layers.Threshold({ threshold: 0, value: 1 }), ...any },
  Softmin: { build: () => new layers.Softmin({ axis: 1 }), ...any, refuses: () => [zeros([2])] },
  Dropout1d: { build: () => new layers.Dropout1d(), ...sequence, outputShapes: [[2, 7, 4]], refuses: flat },
  Dropout2d: { build: () => new layers.Dropout2d(), ...image, outputShapes: [[2, 5, 6, 4]], refuses: flat },
  Dropout3d: {
    build: () => new layers.Dropout3d(),
    ...volume,
    outputShapes: [[2, 3, 4, 5, 3]],
    refuses: flat,
  },
  BatchNorm3d: { build: () => new layers.BatchNorm3d(3), ...volume, outputShapes: [[2, 3, 4, 5, 3]] },
  InstanceNorm3d: { build: () => new layers.InstanceNorm3d(3), ...volume, outputShapes: [[2, 3, 4, 5, 3]] },
  ConvTranspose3d: {
    build: () => new layers.ConvTranspose3d(3, 2, 2, { stride: 2 }),
    ...volume,
    outputShapes: [[2, 6, 8, 10, 2]],
  },
  PixelUnshuffle: {
    build: () => new layers.PixelUnshuffle(2),
    inputs: () => [normal(2, 4, 6, 3)],
    outputShapes: [[2, 2, 3, 12]],
    refuses: () => [zeros([2, 5, 6, 3])],
  },
  AlphaDropout: { build: () => new layers.AlphaDropout(), ...any },
  FeatureAlphaDropout: {
    build: () => new layers.FeatureAlphaDropout(),
    ...image,
    outputShapes: [[2, 5, 6, 4]],
    refuses: () => [zeros([2])],
  },
  AdaptiveLogSoftmaxWithLoss: {
    build: () => new layers.AdaptiveLogSoftmaxWithLoss(4, 6, { cutoffs: [2, 4], divValue: 2 }),
    inputs: () => [normal(2, 4), tensor(Int32Array.of(5, 1))],
    outputShapes: [[2], []],
    refuses: () => [zeros([2, 4]), zeros([3], "int32")],
  },
  RReLU: { build: () => new layers.RReLU(), ...any },
  Softmax2d: {
    build: () => new layers.Softmax2d(),
    ...image,
    outputShapes: [[2, 5, 6, 4]],
    refuses: flat,
  },
  CosineSimilarity: { build: () => new layers.CosineSimilarity(), ...pair },
  PairwiseDistance: { build: () => new layers.PairwiseDistance(), ...pair },
  Unfold: {
    build: () => new layers.Unfold(3, { stride: 2 }),
    ...image,
    outputShapes: [[2, 4, 36]],
    refuses: flat,
  },
  Fold: {
    build: () => new layers.Fold([5, 6], 3, { stride: 2 }),
    inputs: () => [normal(2, 4, 36)],
    outputShapes: [[2, 5, 6, 4]],
    refuses: () => [zeros([2, 5, 36])],
  },
  FractionalMaxPool2d: {
    build: () => new layers.FractionalMaxPool2d(2, { outputSize: 3, randomSamples: evenly(2 * 4 * 2) }),
    ...image,
    outputShapes: [[2, 3, 3, 4]],
    refuses: flat,
  },
  FractionalMaxPool3d: {
    build: () =>
      new layers.FractionalMaxPool3d(2, {
        outputRatio: 0.5,
        randomSamples: evenly(2 * 3 * 3),
        returnIndices: true,
      }),
    ...volume,
    outputShapes: [
      [2, 1, 2, 2, 3],
      [2, 1, 2, 2, 3],
    ],
    refuses: flat,
  },
  ChannelShuffle: {
    build: () => new layers.ChannelShuffle(2),
    ...image,
    outputShapes: [[2, 5, 6, 4]],
    refuses: () => [zeros([2, 5, 6, 3])],
  },
  LocalResponseNorm: {
    build: () => new layers.LocalResponseNorm(3),
    ...image,
    outputShapes: [[2, 5, 6, 4]],
    refuses: flat,
  },
  Unflatten: {
    build: () => new layers.Unflatten(1, [2, 3, 4]),
    inputs: () => [normal(2, 24)],
    outputShapes: [[2, 3, 4, 2]],
    refuses: () => [zeros([2, 23])],
  },
  ...lpPools,
  ...paddings,
  Identity: { build: () => new layers.Identity(), ...any },
  Sequential: {
    build: () => new layers.Sequential(new layers.Linear(3, 4), new layers.ReLU(), new layers.Linear(4, 2)),
    inputs: () => [normal(2, 3)],
    outputShapes: [[2, 2]],
    refuses: () => [zeros([2, 2])],
  },
  LSTM: {
    build: () => new layers.LSTM(3, 2, { numLayers: 2, dropout: 0.5, bidirectional: true }),
    inputs: () => [normal(2, 4, 3)],
    outputShapes: [
      [2, 4, 4],
      [4, 2, 2],
      [4, 2, 2],
    ],
    refuses: () => [zeros([2, 4, 2])],
  },
  GRU: {
    build: () => new layers.GRU(3, 2),
    inputs: () => [normal(2, 4, 3)],
    outputShapes: [
      [2, 4, 2],
      [1, 2, 2],
    ],
    refuses: () => [zeros([4, 3])],
  },
  RNN: {
    build: () => new layers.RNN(3, 2, { nonlinearity: "relu" }),
    inputs: () => [normal(2, 4, 3)],
    outputShapes: [
      [2, 4, 2],
      [1, 2, 2],
    ],
    refuses: () => [zeros([4, 3])],
  },
  RNNCell: {
    build: () => new layers.RNNCell(3, 2),
    inputs: () => [normal(2, 3), normal(2, 2)],
    outputShapes: [[2, 2]],
    refuses: () => [zeros([2, 4])],
  },
  LSTMCell: {
    build: () => new layers.LSTMCell(3, 2),
    inputs: () => [normal(2, 3)],
    outputShapes: [
      [2, 2],
      [2, 2],
    ],
    refuses: () => [zeros([2, 4])],
  },
  GRUCell: {
    build: () => new layers.GRUCell(3, 2),
    inputs: () => [normal(2, 3), normal(2, 2)],
    outputShapes: [[2, 2]],
    refuses: () => [zeros([2, 3]), zeros([2, 3])],
  },
  MultiheadAttention: {
    build: () => new layers.MultiheadAttention(4, 2, { dropout: 0.5 }),
    inputs: () => [normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 4)],
    outputShapes: [[2, 3, 4]],
    refuses: () => [zeros([2, 3, 4]), zeros([2, 5, 4]), zeros([2, 4, 4])],
  },
  LinearMultiheadAttention: {
    build: () => new layers.LinearMultiheadAttention(4, 2),
    inputs: () => [normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 4)],
    outputShapes: [[2, 3, 4]],
    refuses: () => [zeros([2, 3, 4]), zeros([2, 5, 4]), zeros([2, 4, 4])],
  },
  DepthwiseSeparableConv2d: {
    build: () => new layers.DepthwiseSeparableConv2d(4, 2, 3, { padding: 1 }),
    ...image,
    outputShapes: [[2, 5, 6, 2]],
  },
  TransformerEncoderLayer: {
    build: () => new layers.TransformerEncoderLayer(4, 2, { dimFeedforward: 6 }),
    inputs: () => [normal(2, 3, 4)],
    outputShapes: [[2, 3, 4]],
    refuses: () => [zeros([2, 3, 5])],
  },
  TransformerDecoderLayer: {
    build: () => new layers.TransformerDecoderLayer(4, 2, { dimFeedforward: 6, normFirst: true }),
    inputs: () => [normal(2, 3, 4), normal(2, 5, 4)],
    outputShapes: [[2, 3, 4]],
    refuses: () => [zeros([2, 3, 4]), zeros([2, 5, 3])],
  },
};

/** Classes without a case here, and why. */
const WITHOUT_CASE: Readonly<Record<string, string>> = {
  ModuleList: "is never called: containers.test.ts",
  ModuleDict: "is never called: containers.test.ts",
  RelativePositionBias: "takes numbers: structure-layers.test.ts",
  QuantizedLayer: "is what the quantized layers share",
};

/** Tensors of an output in the order of its fields. */
function tensorsOf(output: unknown): Tensor[] {
  if (typeof output !== "object" || output === null) return [];
  return "dataId" in output ? [output as Tensor] : Object.values(output).flatMap(tensorsOf);
}

function callWith(module: AnyModule, inputs: Tensor[]): Tensor[] {
  return tensorsOf(module.call(...inputs));
}

it("covers every layer that this package exports", () => {
  const classes = Object.entries(layers).filter(
    ([name, value]) =>
      typeof value === "function" && value.prototype instanceof layers.Module && !(name in WITHOUT_CASE),
  );
  expect(Object.keys(SUBJECTS).sort()).toEqual(classes.map(([name]) => name).sort());
});

describeEachDevice("every layer", () => {
  for (const [name, { build, inputs, outputShapes, refuses }] of Object.entries(SUBJECTS)) {
    it(`${name} gives the promised shapes and leaks nothing, training and evaluating`, async () => {
      const module = build();
      for (const training of [true, false])
        await expectNoLeak(() => {
          module.train(training);
          const given = inputs();
          const outputs = callWith(module, given);
          expect(outputs.map(({ shape }) => shape)).toEqual(outputShapes);
          expect(outputs.some((output) => given.includes(output))).toBe(false);
          dispose([...given, ...outputs]);
        });
      module.dispose();
    });

    it(`${name} loads what it saved and nothing else, and evaluates the same every time`, async () => {
      const [source, target] = [
        build().initialize({ seed: 1 }).eval(),
        build().initialize({ seed: 2 }).eval(),
      ];
      const state = await source.stateDict();
      expect([...state.keys()]).toEqual(
        expect.arrayContaining(source.namedParameters().map(([path]) => path)),
      );
      const extra = new Map(state).set("no.such.name", {
        dtype: "float32",
        shape: [],
        values: new Float32Array(1),
      });
      expect(() => target.loadStateDict(extra)).toThrow(/unused: no\.such\.name/);
      const [first] = state.keys();
      if (first !== undefined) {
        const partial = new Map(state);
        partial.delete(first);
        expect(() => target.loadStateDict(partial)).toThrow(`missing: ${first}`);
      }
      const file = await writeSafetensors(state);
      await expect(target.load(file, { signal: AbortSignal.abort() })).rejects.toThrow();
      await target.load(file);
      const given = inputs();
      const runs = [callWith(source, given), callWith(source, given), callWith(target, given)];
      for (const [index, output] of runs[0].entries())
        for (const run of runs.slice(1))
          await expect(run[index]).toBeCloseToTensor(output, { relative: 0, absoluteScale: 0 });
      dispose([...given, ...runs.flat()]);
      source.dispose();
      target.dispose();
    });

    it(`${name} summarizes itself`, () => {
      const module = build();
      const given = inputs();
      const summary = module.summary(
        ...given.map(({ shape, dtype }) => ({ shape, dtype: dtype as "float32" })),
      );
      expect(summary.rows[0]).toMatchObject({ path: "", layer: name, outputShapes });
      expect(summary.parameters).toBe(summary.rows.reduce((total, { parameters }) => total + parameters, 0));
      // quantized weights count in parameters, but are none to an optimizer
      expect(summary.trainableParameters).toBe(
        module.parameters().reduce((total, { value }) => total + value.size, 0),
      );
      dispose(given);
      module.dispose();
    });

    if (refuses !== undefined)
      it(`${name} refuses what does not fit and says where`, () => {
        const module = build();
        const given = refuses();
        let error: unknown;
        try {
          module.call(...given);
        } catch (caught) {
          error = caught;
        }
        expect(isAiError(error)).toBe(true);
        expect((error as AiError).message).toMatch(new RegExp(`^${name}[.:]`));
        dispose(given);
        module.dispose();
      });
  }
});
