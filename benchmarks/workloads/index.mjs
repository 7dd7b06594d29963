/** Workloads are plain data; each engine knows how to run a `kind`. Shapes are channels-last, as ours. */
const gemm = (m, k, n, batch = 1) => ({
  name: `gemm ${batch > 1 ? `${batch}x` : ""}${m}x${k}x${n}`,
  kind: "gemm",
  m,
  k,
  n,
  batch,
});

const conv = (name, size, channels, filters, kernel, { stride = 1, batch = 1 } = {}) => ({
  name: `conv ${name}`,
  kind: "conv",
  batch,
  size,
  channels,
  filters,
  kernel,
  stride,
  padding: (kernel - 1) / 2,
});

/** Peers of workloads that read pictures; the others have no such thing. */
const TRANSFORMERS = ["transformers-js", "transformers-js-native"];

/** Groups that `pnpm bench` knows. */
export const GROUPS = {
  gemm: [
    gemm(256, 256, 256),
    gemm(512, 512, 512),
    gemm(1024, 1024, 1024),
    gemm(1, 768, 3072),
    gemm(128, 384, 1536),
    gemm(128, 64, 128, 12),
  ],
  conv: [
    conv("resnet stem 7x7/2 224", 224, 3, 64, 7, { stride: 2 }),
    conv("3x3 64 at 56", 56, 64, 64, 3),
    conv("3x3 256 at 14", 14, 256, 256, 3),
    conv("1x1 256 at 56", 56, 256, 64, 1),
  ],
  bert: [{ name: "bert-small forward 128 tokens", kind: "bert" }],
  mobilenet: [{ name: "mobilenet-v2 forward 224", kind: "mobilenet" }],
  // One step of SGD on the CNN that `npm start` trains.
  "train-cnn": [{ name: "train-cnn mnist batch 64", kind: "train-cnn", batch: 64, learningRate: 0.01 }],
  // One step of SGD on an LSTM that reads pictures row by row.
  "train-lstm": [
    {
      name: "train-lstm 28 steps hidden 128 batch 64",
      kind: "train-lstm",
      batch: 64,
      steps: 28,
      hidden: 128,
      learningRate: 0.01,
    },
  ],
  // Ops on tensors so small that only the way to the kernel counts: milliseconds of a thousand are microseconds of one.
  tiny: ["add", "relu", "matMul", "slice", "softmax"].map((op) => ({
    name: `1000 tiny ${op}`,
    kind: "tiny",
    op,
  })),
};

/** From the bytes of a JPEG to labels, and the parts of that: reading the file, making it ready, the model. */
const classifier = (model, size, picture) =>
  [
    { name: `classify ${model} from JPEG`, kind: "classify" },
    { name: `decode JPEG of ${model}`, kind: "decode-picture", tolerance: 0.02 },
    // their resize has no anti-aliasing
    { name: `preprocess ${model}`, kind: "preprocess-picture", tolerance: 0.1 },
    { name: `forward ${model}`, kind: "forward-picture" },
  ].map((workload) => ({ ...workload, model, size, picture, peers: TRANSFORMERS, files: "vision" }));

GROUPS.vision = [
  ...classifier("cifar10-small", 32, "tiny"),
  ...classifier("mobilenet-v2", 224, "photo"),
  {
    name: "forward fastest-det 352",
    kind: "forward-picture",
    model: "fastest-det",
    size: 352,
    peers: ["onnxruntime-web", "onnxruntime-node"],
    files: "vision",
  },
  {
    name: "decode JPEG of 1 megapixel",
    kind: "decode-picture",
    picture: "megapixel",
    tolerance: 0.02,
    peers: TRANSFORMERS,
    files: "vision",
  },
  {
    name: "resize 12 megapixels to 341x256",
    kind: "resize-picture",
    width: 4000,
    height: 3000,
    to: { width: 341, height: 256 },
    tolerance: 0.02,
    peers: TRANSFORMERS,
  },
];

/** What the engine on the CPU is judged by. */
GROUPS.cpu = [
  ...GROUPS.gemm,
  ...GROUPS.mobilenet,
  ...GROUPS.bert,
  ...GROUPS["train-cnn"],
  ...GROUPS["train-lstm"],
  ...GROUPS.tiny,
];
