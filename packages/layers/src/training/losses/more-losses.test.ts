import {
  ctcLoss,
  dispose,
  logSoftmax,
  type Tensor,
  tensor,
  tidy,
  useDevice,
  valueAndGrad,
  zeros,
} from "@ai/tensor";
import { describeEachDevice, expectNoLeak, loadFixture } from "@ai/tensor/testing";
import { beforeAll, describe, expect, it } from "vitest";
import {
  BCELoss,
  BCEWithLogitsLoss,
  binaryCrossEntropy,
  CosineEmbeddingLoss,
  CrossEntropyLoss,
  CTCLoss,
  cosineEmbeddingLoss,
  crossEntropyLoss,
  DiceLoss,
  diceLoss,
  FocalLoss,
  focalLoss,
  GaussianNLLLoss,
  gaussianNllLoss,
  HuberLoss,
  huberLoss,
  InfoNCELoss,
  infoNceLoss,
  KLDivLoss,
  klDivLoss,
  L1Loss,
  l1Loss,
  MSELoss,
  mseLoss,
  NLLLoss,
  nllLoss,
  PoissonNLLLoss,
  poissonNllLoss,
  type Reduction,
  SigmoidFocalLoss,
  SmoothL1Loss,
  sigmoidFocalLoss,
  smoothL1Loss,
  TripletMarginLoss,
  tripletMarginLoss,
} from "./index.js";

const fixture = await loadFixture(new URL("../../../fixtures/losses.safetensors", import.meta.url));
const weight = [...fixture.host("weights").values];

const CASES: Readonly<Record<string, (...inputs: Tensor[]) => Tensor>> = {
  l1: (x, y) => new L1Loss().call(x, y),
  l1_none: (x, y) => l1Loss(x, y, { reduction: "none" }),
  smooth_l1: (x, y) => new SmoothL1Loss().call(x, y),
  smooth_l1_beta: (x, y) => smoothL1Loss(x, y, { beta: 0.3, reduction: "sum" }),
  smooth_l1_zero: (x, y) => smoothL1Loss(x, y, { beta: 0, reduction: "none" }),
  huber: (x, y) => new HuberLoss().call(x, y),
  huber_delta: (x, y) => huberLoss(x, y, { delta: 2.5, reduction: "none" }),
  nll: (x, y) => new NLLLoss().call(x, y),
  nll_weight: (x, y) => nllLoss(x, y, { weight }),
  nll_sum: (x, y) => nllLoss(x, y, { weight, ignoreIndex: 2, reduction: "sum" }),
  nll_none: (x, y) => nllLoss(x, y, { weight, reduction: "none" }),
  nll_all_ignored: (x, y) => nllLoss(x, y),
  nll_sequence: (x, y) => nllLoss(x, y),
  kl: (x, y) => new KLDivLoss().call(x, y),
  kl_batchmean: (x, y) => klDivLoss(x, y, { reduction: "batchmean" }),
  kl_none: (x, y) => klDivLoss(x, y, { reduction: "none" }),
  kl_log: (x, y) => klDivLoss(x, y, { reduction: "sum", logTarget: true }),
  cosine: (a, b, y) => new CosineEmbeddingLoss().call(a, b, y),
  cosine_margin: (a, b, y) => cosineEmbeddingLoss(a, b, y, { margin: 0.4, reduction: "none" }),
  triplet: (a, p, n) => new TripletMarginLoss().call(a, p, n),
  triplet_none: (a, p, n) => tripletMarginLoss(a, p, n, { margin: 0.5, reduction: "none" }),
  triplet_swap: (a, p, n) =>
    tripletMarginLoss(a, p, n, { margin: 2, swap: true, order: 1, reduction: "sum" }),
  info_nce: (q, k) => new InfoNCELoss().call(q, k),
  info_nce_symmetric: (q, k) => infoNceLoss(q, k, { temperature: 0.5, symmetric: true, reduction: "none" }),
  info_nce_plain: (q, k) => infoNceLoss(q, k, { temperature: 1, normalize: false, reduction: "sum" }),
  info_nce_learned: (q, k, temperature) => infoNceLoss(q, k, { temperature }),
  focal: (x, y) => new FocalLoss().call(x, y),
  focal_gamma: (x, y) => focalLoss(x, y, { gamma: 0.5, reduction: "none" }),
  focal_zero: (x, y) => focalLoss(x, y, { gamma: 0, reduction: "none" }),
  sigmoid_focal: (x, y) => new SigmoidFocalLoss().call(x, y),
  sigmoid_focal_plain: (x, y) => sigmoidFocalLoss(x, y, { alpha: -1, gamma: 1.5, reduction: "none" }),
  sigmoid_focal_soft: (x, y) => sigmoidFocalLoss(x, y, { alpha: 0.6, gamma: 1, reduction: "sum" }),
  dice: (x, y) => new DiceLoss().call(x, y),
  dice_squared: (x, y) => diceLoss(x, y, { smooth: 0.1, squared: true, reduction: "none" }),
  poisson: (x, y) => new PoissonNLLLoss().call(x, y),
  poisson_full: (x, y) => poissonNllLoss(x, y, { full: true, reduction: "none" }),
  poisson_rates: (x, y) =>
    poissonNllLoss(x, y, { logInput: false, full: true, epsilon: 0.01, reduction: "sum" }),
  gaussian: (x, y, v) => new GaussianNLLLoss().call(x, y, v),
  gaussian_bound: (x, y, v) => gaussianNllLoss(x, y, v, { epsilon: 1e-2, reduction: "none" }),
  gaussian_full: (x, y, v) => gaussianNllLoss(x, y, v, { full: true, reduction: "sum" }),
  gaussian_one: (x, y, v) => gaussianNllLoss(x, y, v, { reduction: "none" }),
};

describe("the fixture", () => {
  it("has a test for each of its cases", () => {
    const stored = fixture.names.filter((name) => name.endsWith("/output"));
    expect(stored.map((name) => name.slice(0, -"/output".length)).sort()).toEqual(Object.keys(CASES).sort());
  });
});

describeEachDevice("losses equal PyTorch's", () => {
  it.each(Object.keys(CASES))("%s", async (name) => {
    const names = fixture.names.filter((key) => key.startsWith(`${name}/`));
    const inputNames = names.filter((key) => key.includes("/input")).sort();
    const differentiated = inputNames
      .map((_, index) => index)
      .filter((index) => names.includes(`${name}/gradient${index}`));
    await expectNoLeak(async () => {
      const inputs = inputNames.map((key) => fixture.tensor(key));
      const seed = fixture.tensor(`${name}/seed`);
      const { value, grads } = valueAndGrad(
        (...leaves: Tensor[]) => {
          const all = [...inputs];
          differentiated.forEach((position, index) => {
            all[position] = leaves[index];
          });
          return CASES[name](...all);
        },
        differentiated.map((index) => inputs[index]),
        { seed },
      );
      await expect(value).toBeCloseToTensor(fixture.host(`${name}/output`));
      for (const [index, position] of differentiated.entries())
        await expect(grads[index]).toBeCloseToTensor(fixture.host(`${name}/gradient${position}`));
      for (const each of [...inputs, seed, value, ...grads]) each?.dispose();
    });
  });
});

describe("losses", () => {
  beforeAll(() => useDevice("cpu"));

  it("keep the loss of a certain and right prediction finite, and of a negative variance NaN", async () => {
    await expectNoLeak(async () => {
      const scores = tensor([[-300, 300]]);
      const right = tensor(Int32Array.of(1));
      const { value, grads } = valueAndGrad((x) => focalLoss(x, right, { gamma: 1.5 }), [scores]);
      expect([...(await value.data()), ...(await grads[0].data())].every(Number.isFinite)).toBe(true);
      const nothing = tidy(() =>
        gaussianNllLoss(zeros([2]), zeros([2]), tensor([1, -1]), { reduction: "none" }),
      );
      const [first, second] = await nothing.data();
      expect(first).toBe(0);
      expect(second).toBeNaN();
      for (const each of [scores, right, value, nothing, ...grads]) each?.dispose();
    });
  });

  it("keep the gradient of an element that is right beyond float32 finite", async () => {
    for (const gamma of [0.01, 0.5]) {
      const scores = tensor([200, 0], [1, 2]);
      const [label, hits] = [tensor([0], [1], "int32"), tensor([1, 0], [1, 2])];
      const sure = tensor([200, -200], [1, 2]);
      const grads = [
        ...valueAndGrad(() => focalLoss(scores, label, { gamma }), [scores]).grads,
        ...valueAndGrad(() => sigmoidFocalLoss(sure, hits, { gamma }), [sure]).grads,
      ];
      for (const gradient of grads)
        await expect(gradient).toBeCloseToTensor({ shape: [1, 2], dtype: "float32", values: [0, 0] });
      dispose([scores, label, hits, sure, ...grads]);
    }
  });

  it("keep the gradient of an infinite difference that of the line, and give a target its own", async () => {
    await expectNoLeak(async () => {
      const [far, zero] = [tensor([Number.POSITIVE_INFINITY, 0.5]), zeros([2])];
      const [chances, truth] = [tensor([0.2, 0.5]), tensor([0.3, 1])];
      // torch: F.smooth_l1_loss and F.huber_loss(delta=2), then F.binary_cross_entropy, reduction="sum", backward()
      for (const [run, inputs, expected] of [
        [(x: Tensor) => smoothL1Loss(x, zero, { reduction: "sum" }), [far], [1, 0.5]],
        [(x: Tensor) => huberLoss(x, zero, { delta: 2, reduction: "sum" }), [far], [2, 0.5]],
        [(y: Tensor) => binaryCrossEntropy(chances, y, { reduction: "sum" }), [truth], [Math.log(4), 0]],
      ] as const) {
        const { value, grads } = valueAndGrad(run, [...inputs]);
        await expect(grads[0]).toBeCloseToTensor({ shape: [2], dtype: "float32", values: [...expected] });
        dispose([value, ...grads]);
      }
      dispose([far, zero, chances, truth]);
    });
  });

  it("hide no NaN of a difference, and make none of an infinite variance", async () => {
    await expectNoLeak(async () => {
      const [unknown, zero] = [tensor([Number.NaN, 0.5]), zeros([2])];
      for (const loss of [smoothL1Loss, huberLoss]) {
        const { value, grads } = valueAndGrad((x) => loss(x, zero, { reduction: "sum" }), [unknown]);
        expect([...(await grads[0].data())]).toEqual([Number.NaN, 0.5]);
        dispose([value, ...grads]);
      }
      const variance = tensor([Number.POSITIVE_INFINITY, 1]);
      const means = tensor([3, 2]);
      const { value, grads } = valueAndGrad(
        (x) => gaussianNllLoss(x, zero, variance, { reduction: "sum" }),
        [means],
      );
      expect([...(await value.data()), ...(await grads[0].data())]).toEqual([Number.POSITIVE_INFINITY, 0, 2]);
      dispose([unknown, zero, variance, means, value, ...grads]);
    });
  });

  it("pass over rows that do not count, whatever is in them", async () => {
    await expectNoLeak(async () => {
      const input = tensor([
        [Number.NEGATIVE_INFINITY, 0],
        [-1, -2],
      ]);
      const targets = tensor(Int32Array.of(-100, 1));
      const { value, grads } = valueAndGrad((x) => nllLoss(x, targets), [input]);
      expect([...(await value.data())]).toEqual([2]);
      expect([...(await grads[0].data())]).toEqual([0, 0, 0, -1]);
      for (const each of [input, targets, value, ...grads]) each?.dispose();
    });
  });
});

describe("CTCLoss", () => {
  beforeAll(() => useDevice("cpu"));

  it("is the op with its options kept", async () => {
    await expectNoLeak(async () => {
      const scores = tidy(() =>
        logSoftmax(
          tensor([
            [
              [1, 2, 3],
              [0, 1, 0],
              [2, 0, 1],
              [1, 1, 0],
            ],
          ]),
        ),
      );
      const targets = tensor(Int32Array.of(1, 2), [1, 2]);
      const lengths = { inputLengths: [3], targetLengths: [2] };
      const loss = new CTCLoss({ reduction: "sum" }).call(scores, targets, lengths);
      const same = ctcLoss(scores, targets, { ...lengths, reduction: "sum" });
      expect(await loss.data()).toEqual(await same.data());
      const impossible = new CTCLoss({ zeroInfinity: true }).call(scores, targets, { inputLengths: [1] });
      expect([...(await impossible.data())]).toEqual([0]);
      const other = new CTCLoss();
      expect(() => other.call(scores, targets, { lengths: 3 } as object)).toThrow(/got one named lengths/);
      for (const each of [scores, targets, loss, same, impossible]) each.dispose();
    });
    expect(() => new CTCLoss({ blank: -1 })).toThrow(/blank as a class of at least 0, got -1/);
    expect(() => new CTCLoss({ inputLengths: [1] } as object)).toThrow(/got one named inputLengths/);
    expect(() => new CTCLoss({ zeroInfinity: 1 as never })).toThrow(/true or false, got 1/);
    expect(() => new CTCLoss({ reduction: "all" as Reduction })).toThrow(/mean, sum or none, got all/);
  });
});

describe("losses refuse", () => {
  beforeAll(() => useDevice("cpu"));

  const none = undefined as unknown as Tensor;

  it.each<[string, () => Tensor, RegExp]>([
    ["l1Loss", () => l1Loss(zeros([2]), none), /l1Loss: expected a float32 target, got undefined/],
    ["mseLoss", () => mseLoss(zeros([2]), none), /mseLoss: expected a float32 target, got undefined/],
    ["huberLoss", () => huberLoss(none, zeros([2])), /float32 input, got undefined/],
    ["smoothL1Loss", () => smoothL1Loss(zeros([2]), zeros([3])), /of one shape, got \[2\] and \[3\]/],
    ["nllLoss", () => nllLoss(zeros([2, 3]), none), /int32 class indices as targets, got undefined/],
    ["crossEntropyLoss", () => crossEntropyLoss(zeros([2, 3]), none), /float32 probabilities, got undefined/],
    ["binaryCrossEntropy", () => binaryCrossEntropy(zeros([2]), none), /float32 target, got undefined/],
    ["klDivLoss", () => klDivLoss(zeros([2, 3]), none), /float32 target, got undefined/],
    [
      "cosineEmbeddingLoss",
      () => cosineEmbeddingLoss(zeros([2, 3]), zeros([2, 3]), none),
      /float32 or int32 target, got undefined/,
    ],
    ["tripletMarginLoss", () => tripletMarginLoss(zeros([2, 3]), zeros([2, 3]), none), /float32 negative/],
    ["infoNceLoss", () => infoNceLoss(zeros([2, 3]), none), /float32 keys, got undefined/],
    ["focalLoss", () => focalLoss(zeros([2, 3]), none), /int32 class indices as targets/],
    ["sigmoidFocalLoss", () => sigmoidFocalLoss(zeros([2]), none), /float32 target/],
    ["diceLoss", () => diceLoss(zeros([1, 2, 2]), none), /float32 target/],
    ["poissonNllLoss", () => poissonNllLoss(zeros([2]), none), /float32 target/],
    ["gaussianNllLoss", () => gaussianNllLoss(zeros([2]), zeros([2]), none), /float32 variance/],
  ])("a target that is missing or does not fit: %s", async (_, call, message) => {
    await expectNoLeak(async () => {
      expect(() => tidy(call)).toThrow(message);
    });
  });

  it.each<[string, () => Tensor, RegExp]>([
    [
      "a class out of range",
      () => nllLoss(zeros([1, 3]), tensor(Int32Array.of(3))),
      /out of range|in \[0, 3\)/,
    ],
    [
      "classes of another shape",
      () => focalLoss(zeros([2, 3]), zeros([3], "int32")),
      /shape \[2\], got \[3\]/,
    ],
    [
      "weights of another size",
      () => nllLoss(zeros([1, 3]), zeros([1], "int32"), { weight: [1] }),
      /shape \[3\]/,
    ],
    ["two-axis masks", () => diceLoss(zeros([2, 3]), zeros([2, 3])), /at least three axes, got \[2, 3\]/],
    [
      "vectors without an axis",
      () => infoNceLoss(zeros([3]), zeros([3])),
      /queries \[batch, dim\], got \[3\]/,
    ],
    [
      "a variance of another shape",
      () => gaussianNllLoss(zeros([2, 3]), zeros([2, 3]), zeros([3])),
      /variance of shape \[2, 3\], \[2, 1\] or \[2\], got \[3\]/,
    ],
    [
      "a target of another shape",
      () => cosineEmbeddingLoss(zeros([2, 3]), zeros([2, 3]), zeros([3])),
      /target of shape \[2\], got \[3\]/,
    ],
  ])("%s", async (_, call, message) => {
    await expectNoLeak(async () => {
      expect(() => tidy(call)).toThrow(message);
    });
  });

  it("options out of range and those that do not exist", () => {
    expect(() => new SmoothL1Loss({ beta: -1 })).toThrow(/beta of at least 0, got -1/);
    expect(() => new HuberLoss({ delta: 0 })).toThrow(/delta above 0, got 0/);
    expect(() => new TripletMarginLoss({ margin: 0 })).toThrow(/margin above 0, got 0/);
    expect(() => new CosineEmbeddingLoss({ margin: 2 })).toThrow(/margin in \[−1, 1\], got 2/);
    expect(() => new InfoNCELoss({ temperature: 0 })).toThrow(/temperature above 0, got 0/);
    expect(() => new FocalLoss({ gamma: -1 })).toThrow(/gamma of at least 0, got -1/);
    expect(() => new SigmoidFocalLoss({ alpha: 1.5 })).toThrow(/alpha in \[0, 1\] or −1, got 1.5/);
    expect(() => new DiceLoss({ smooth: -1 })).toThrow(/smooth of at least 0, got -1/);
    expect(() => new PoissonNLLLoss({ epsilon: 0 })).toThrow(/epsilon above 0, got 0/);
    expect(() => new KLDivLoss({ reduction: "batch" as "batchmean" })).toThrow(
      /none or batchmean, got batch/,
    );
    const classes = [BCELoss, BCEWithLogitsLoss, CosineEmbeddingLoss, CrossEntropyLoss, DiceLoss, FocalLoss];
    const others = [
      GaussianNLLLoss,
      HuberLoss,
      InfoNCELoss,
      KLDivLoss,
      L1Loss,
      MSELoss,
      NLLLoss,
      PoissonNLLLoss,
    ];
    for (const Loss of [...classes, ...others, SigmoidFocalLoss, SmoothL1Loss, TripletMarginLoss]) {
      expect(() => new Loss({ sizeAverage: true } as object)).toThrow(/got one named sizeAverage/);
      expect(() => new Loss({ reduction: "all" as Reduction })).toThrow(/got all/);
    }
    expect(() => tidy(() => l1Loss(zeros([1]), zeros([1]), "mean" as unknown as object))).toThrow(
      /got string; name/,
    );
  });

  it("nothing of what they are given: log-probabilities differ from scores", async () => {
    await expectNoLeak(async () => {
      const [scores, classes] = [tensor([[1, 2, 3]]), tensor(Int32Array.of(1))];
      const [a, b] = tidy(() => [nllLoss(logSoftmax(scores), classes), crossEntropyLoss(scores, classes)]);
      expect((await a.data())[0]).toBeCloseTo((await b.data())[0], 6);
      for (const each of [scores, classes, a, b]) each.dispose();
    });
  });
});
