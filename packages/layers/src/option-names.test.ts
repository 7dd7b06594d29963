import { InputError, type Tensor, useDevice, zeros } from "@ai/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import * as layers from "./index.js";
import type { AnyModule } from "./module.js";

beforeAll(() => useDevice("cpu"));

type Class = new (...given: unknown[]) => unknown;

/** What stands in front of the options object of each class. */
const BEFORE_OPTIONS: Readonly<Record<string, readonly unknown[]>> = {
  Linear: [3, 4],
  Bilinear: [3, 2, 4],
  Conv1d: [4, 6, 3],
  Conv2d: [4, 2, 3],
  Conv3d: [3, 2, 2],
  ConvTranspose1d: [4, 2, 3],
  ConvTranspose2d: [4, 2, 2],
  ConvTranspose3d: [3, 2, 2],
  MaxPool1d: [2],
  MaxPool2d: [2],
  MaxPool3d: [2],
  MaxUnpool1d: [2],
  MaxUnpool2d: [2],
  MaxUnpool3d: [2],
  AvgPool1d: [2],
  AvgPool2d: [2],
  AvgPool3d: [2],
  LPPool1d: [2, 2],
  LPPool2d: [2, 2],
  LPPool3d: [2, 2],
  LocalResponseNorm: [3],
  FractionalMaxPool2d: [2],
  FractionalMaxPool3d: [2],
  AdaptiveLogSoftmaxWithLoss: [4, 6],
  Unfold: [2],
  Fold: [4, 2],
  CosineSimilarity: [],
  PairwiseDistance: [],
  RReLU: [],
  AdaptiveMaxPool1d: [3],
  AdaptiveMaxPool2d: [3],
  AdaptiveMaxPool3d: [3],
  BatchNorm1d: [3],
  BatchNorm2d: [3],
  BatchNorm3d: [3],
  InstanceNorm1d: [3],
  InstanceNorm2d: [3],
  InstanceNorm3d: [3],
  LayerNorm: [3],
  GroupNorm: [2, 4],
  RMSNorm: [3],
  Embedding: [5, 3],
  EmbeddingBag: [5, 3],
  Flatten: [],
  GELU: [],
  Softmax: [],
  Softmin: [],
  LogSoftmax: [],
  LeakyReLU: [],
  ELU: [],
  CELU: [],
  Softplus: [],
  Hardtanh: [],
  PReLU: [],
  Softshrink: [],
  Hardshrink: [],
  Threshold: [],
  GLU: [],
  SwiGLU: [],
  GeGLU: [],
  RNN: [3, 2],
  LSTM: [3, 2],
  GRU: [3, 2],
  RNNCell: [3, 2],
  LSTMCell: [3, 2],
  GRUCell: [3, 2],
  MultiheadAttention: [4, 2],
  GroupedQueryAttention: [4, 2],
  LinearAttention: [4, 2],
  LinearMultiheadAttention: [4, 2],
  DepthwiseSeparableConv2d: [4, 2, 3],
  TransformerEncoderLayer: [4, 2],
  TransformerDecoderLayer: [4, 2],
  TransformerEncoder: [4, 2],
  TransformerDecoder: [4, 2],
  Transformer: [4, 2],
  RotaryEmbedding: [4],
  RelativePositionBias: [2],
  Mamba: [4],
  MixtureOfExperts: [4],
  ConditionalRandomField: [4],
  Upsample: [],
  QuantizedLinear: [3, 4],
  QuantizedEmbedding: [5, 3],
};

/** Options that a class requires beside the wrong one. */
const REQUIRED: Readonly<Record<string, object>> = {
  AdaptiveLogSoftmaxWithLoss: { cutoffs: [2] },
  Threshold: { threshold: 0, value: 1 },
  TransformerEncoder: { numLayers: 1 },
  TransformerDecoder: { numLayers: 1 },
  MixtureOfExperts: { numExperts: 2, hiddenDim: 2 },
  Upsample: { scaleFactor: 2 },
};

/** Classes whose constructor takes no options object: positions only, or nothing. */
const WITHOUT_OPTIONS: readonly string[] = [
  "AdaptiveAvgPool1d",
  "AdaptiveAvgPool2d",
  "AdaptiveAvgPool3d",
  "AlphaDropout",
  "ChannelShuffle",
  "Dropout",
  "Dropout1d",
  "Dropout2d",
  "Dropout3d",
  "FeatureAlphaDropout",
  "LearnedPositionalEncoding",
  "ModuleDict",
  "ModuleList",
  "PixelShuffle",
  "PixelUnshuffle",
  "Sequential",
  "SinusoidalPositionalEncoding",
  "SqueezeExcitation",
  "StochasticDepth",
  "Unflatten",
  ...["Circular", "Constant", "Reflection", "Replication", "Zero"].flatMap((kind) =>
    [1, 2, 3].map((axes) => `${kind}Pad${axes}d`),
  ),
];

/** Classes that are built from nothing. */
const FROM_NOTHING: readonly string[] = [
  "Hardsigmoid",
  "Hardswish",
  "Identity",
  "LogSigmoid",
  "Mish",
  "ReLU",
  "ReLU6",
  "SELU",
  "SiLU",
  "Sigmoid",
  "Softmax2d",
  "Softsign",
  "Tanh",
  "Tanhshrink",
];

/** Inputs in front of the call options, and what a reader of PyTorch or another layer would write there. */
const CALLS: Readonly<Record<string, [inputs: readonly number[][], wrong: string]>> = {
  EmbeddingBag: [[[2, 2]], "offset"],
  MaxUnpool1d: [
    [
      [2, 2, 3],
      [2, 2, 3],
    ],
    "size",
  ],
  MaxUnpool2d: [
    [
      [1, 1, 2, 2],
      [1, 1, 2, 2],
    ],
    "size",
  ],
  MaxUnpool3d: [
    [
      [1, 1, 1, 2, 2],
      [1, 1, 1, 2, 2],
    ],
    "size",
  ],
  ConvTranspose1d: [[[2, 5, 4]], "outputSizes"],
  ConvTranspose2d: [[[2, 5, 6, 4]], "outputSizes"],
  ConvTranspose3d: [[[2, 3, 4, 5, 3]], "outputSizes"],
  LinearMultiheadAttention: [
    [
      [2, 3, 4],
      [2, 3, 4],
      [2, 3, 4],
    ],
    "attnMask",
  ],
  RNN: [[[2, 4, 3]], "length"],
  LSTM: [[[2, 4, 3]], "length"],
  GRU: [[[2, 4, 3]], "length"],
  MultiheadAttention: [
    [
      [2, 3, 4],
      [2, 3, 4],
      [2, 3, 4],
    ],
    "attnMask",
  ],
  GroupedQueryAttention: [[[2, 3, 4]], "paddingMask"],
  LinearAttention: [[[2, 3, 4]], "attentionMask"],
  MixtureOfExperts: [[[2, 3, 4]], "mask"],
  TransformerEncoderLayer: [[[2, 3, 4]], "mask"],
  TransformerEncoder: [[[2, 3, 4]], "weights"],
  TransformerDecoderLayer: [
    [
      [2, 3, 4],
      [2, 3, 4],
    ],
    "targetMask",
  ],
  TransformerDecoder: [
    [
      [2, 3, 4],
      [2, 3, 4],
    ],
    "memoryMask",
  ],
  Transformer: [
    [
      [2, 3, 4],
      [2, 3, 4],
    ],
    "keyPaddingMask",
  ],
  ConditionalRandomField: [
    [
      [2, 3, 4],
      [2, 3],
    ],
    "length",
  ],
};

const INTEGERS: readonly string[] = ["EmbeddingBag", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"];

function construct(name: string, options: unknown): unknown {
  return new (layers as unknown as Record<string, Class>)[name](...(BEFORE_OPTIONS[name] ?? []), options);
}

describe("an option that a layer does not have is refused by name", () => {
  it("in the table of every layer that this package exports", () => {
    const classes = Object.entries(layers).flatMap(([name, value]) =>
      typeof value === "function" && value.prototype instanceof layers.Module ? [name] : [],
    );
    const others = ["QuantizedLayer"]; // what the quantized layers share
    const known = [...Object.keys(BEFORE_OPTIONS), ...WITHOUT_OPTIONS, ...FROM_NOTHING, ...others];
    expect(known.sort()).toEqual(classes.sort());
  });

  it.each(Object.keys(BEFORE_OPTIONS))("new %s", (name) => {
    const wrong = { ...REQUIRED[name], noSuchOption: 1 };
    expect(() => construct(name, wrong)).toThrow(/expected options \{.*\}, got one named noSuchOption/);
    // PyTorch's positional form
    if (!(name in REQUIRED)) expect(() => construct(name, 0.3)).toThrow(/expected options \{.*\}, got 0\.3/);
  });

  it.each(Object.keys(BEFORE_OPTIONS))("and text for a value, as forms give it: new %s", (name) => {
    let message = "";
    try {
      construct(name, { ...REQUIRED[name], noSuchOption: 1 });
    } catch (error) {
      ({ message } = error as Error);
    }
    const names = /expected options \{ (.*?) \}/.exec(message)![1].split(", ");
    for (const option of names.filter((each) => each !== "axis"))
      for (const value of ["0.5", "false", ""]) {
        const wrong = { ...REQUIRED[name], [option]: value };
        expect(() => construct(name, wrong), `${name} ${option} "${value}"`).toThrow(InputError);
      }
  });

  it.each(FROM_NOTHING)("new %s", (name) => {
    expect(() => construct(name, { inplace: true })).toThrow(`${name}: expected no arguments, got 1`);
  });

  it.each(Object.keys(CALLS))("%s.call", (name) => {
    const [shapes, wrong] = CALLS[name];
    const module = construct(name, REQUIRED[name] ?? {}) as AnyModule;
    const inputs: Tensor[] = shapes.map((shape, index) =>
      zeros(shape, INTEGERS.includes(name) && index === shapes.length - 1 ? "int32" : "float32"),
    );
    expect(() => module.call(...inputs, { [wrong]: zeros([3, 3]) })).toThrow(
      new RegExp(`^${name}.*expected options \\{.*\\}, got one named ${wrong}`),
    );
    expect(() => module.call(...inputs, zeros([3, 3]))).toThrow(/expected options \{.*\}, got a tensor/);
    module.dispose();
  });

  it.each([
    ["uniform", []],
    ["normal", []],
    ["kaimingUniform", []],
    ["kaimingNormal", []],
    ["xavierUniform", []],
    ["xavierNormal", []],
    ["truncatedNormal", []],
    ["orthogonal", []],
    ["dirac", []],
    ["weightNorm", [new layers.Linear(3, 2)]],
    ["spectralNorm", [new layers.Linear(3, 2)]],
    ["applyLora", [new layers.Linear(3, 2)]],
    ["removeLora", [new layers.Linear(3, 2)]],
    ["setActiveAdapters", [new layers.Linear(3, 2), []]],
    ["loadAdapter", [new layers.Linear(3, 2), "no/such/folder"]],
    ["writeAdapter", [new layers.Linear(3, 2)]],
    ["quantizeModel", [new layers.Linear(3, 2)]],
    ["writeQuantized", [new layers.Linear(3, 2)]],
    ["loadQuantized", [new layers.Linear(3, 2), new Uint8Array(8)]],
  ] as const)("%s", async (name, before) => {
    const made = (layers as unknown as Record<string, (...given: unknown[]) => unknown>)[name];
    const give = async (options: unknown): Promise<unknown> => made(...before, options);
    await expect(give({ noSuchOption: 1 })).rejects.toThrow(
      /expected options \{.*\}, got one named noSuchOption/,
    );
    await expect(give(0.3)).rejects.toThrow(/expected options \{.*\}, got 0\.3/);
  });

  it.each([
    ["Linear", { bias: "false" }, /Linear: expected bias true or false, got "false"/],
    ["Linear", { "bias?": false }, /expected options \{ bias, .* got one named bias\?/],
    ["BatchNorm2d", { affine: 0 }, /BatchNorm2d: expected affine true or false, got 0/],
    ["MaxPool2d", { returnIndices: "no" }, /MaxPool2d: expected returnIndices true or false, got "no"/],
    ["MultiheadAttention", { addZeroAttention: null }, /expected addZeroAttention true or false, got null/],
  ])("a switch that is neither true nor false: %s", (name, options, message) => {
    const Layer = (layers as unknown as Record<string, Class>)[name];
    expect(() => new Layer(...BEFORE_OPTIONS[name], options)).toThrow(message);
  });

  it("in the methods of a module", async () => {
    const model = new layers.Linear(3, 2);
    const wrong = { sed: 1 } as never;
    expect(() => model.initialize(wrong)).toThrow(
      "Linear.initialize: expected options { seed }, got one named sed",
    );
    expect(() => model.loadStateDict(new Map(), wrong)).toThrow(/Linear\.loadStateDict: .*got one named sed/);
    await expect(model.save("no/such/file", wrong)).rejects.toThrow(/Linear\.save: .*got one named sed/);
    await expect(model.load(new Uint8Array(8), wrong)).rejects.toThrow(/Linear\.load: .*got one named sed/);
  });

  it("inside a decoder's masks", () => {
    const decoder = new layers.TransformerDecoderLayer(4, 2);
    const x = zeros([2, 3, 4]);
    const wrong = { target: { weights: "average" } } as never;
    expect(() => decoder.call(x, x, wrong)).toThrow(/got one named weights/);
  });
});
