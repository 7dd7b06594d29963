import {
  abs,
  dispose,
  max,
  sub,
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
  HingeEmbeddingLoss,
  hingeEmbeddingLoss,
  MarginRankingLoss,
  MultiLabelMarginLoss,
  MultiLabelSoftMarginLoss,
  MultiMarginLoss,
  marginRankingLoss,
  multiLabelMarginLoss,
  multiLabelSoftMarginLoss,
  multiMarginLoss,
  type Reduction,
  SoftMarginLoss,
  softMarginLoss,
  TripletMarginWithDistanceLoss,
  tripletMarginWithDistanceLoss,
} from "./index.js";

const fixture = await loadFixture(new URL("../../../fixtures/margin-losses.safetensors", import.meta.url));
const weight = [...fixture.host("weights").values];
const largest = (a: Tensor, b: Tensor): Tensor => max(abs(sub(a, b)), { axes: -1 });

const CASES: Readonly<Record<string, (...inputs: Tensor[]) => Tensor>> = {
  ranking: (a, b, y) => new MarginRankingLoss().call(a, b, y),
  ranking_margin: (a, b, y) => marginRankingLoss(a, b, y, { margin: 0.5, reduction: "none" }),
  hinge: (x, y) => new HingeEmbeddingLoss().call(x, y),
  hinge_margin: (x, y) => hingeEmbeddingLoss(x, y, { margin: 0.3, reduction: "none" }),
  soft_margin: (x, y) => new SoftMarginLoss().call(x, y),
  soft_margin_none: (x, y) => softMarginLoss(x, y, { reduction: "none" }),
  multi_margin: (x, y) => new MultiMarginLoss().call(x, y),
  multi_margin_all: (x, y) => multiMarginLoss(x, y, { order: 2, margin: 0.7, weight, reduction: "none" }),
  multi_margin_one: (x, y) => multiMarginLoss(x, y, { weight }),
  multi_label_margin: (x, y) => new MultiLabelMarginLoss().call(x, y),
  multi_label_margin_none: (x, y) => multiLabelMarginLoss(x, y, { reduction: "none" }),
  multi_label_soft: (x, y) => new MultiLabelSoftMarginLoss().call(x, y),
  multi_label_soft_weight: (x, y) => multiLabelSoftMarginLoss(x, y, { weight, reduction: "none" }),
  triplet_default: (a, p, n) => new TripletMarginWithDistanceLoss().call(a, p, n),
  triplet_largest: (a, p, n) =>
    tripletMarginWithDistanceLoss(a, p, n, {
      distanceFunction: largest,
      margin: 0.4,
      swap: true,
      reduction: "none",
    }),
};

describe("the fixture", () => {
  it("has a test for each of its cases", () => {
    const stored = fixture.names.filter((name) => name.endsWith("/output"));
    expect(stored.map((name) => name.slice(0, -"/output".length)).sort()).toEqual(Object.keys(CASES).sort());
  });
});

describeEachDevice("losses with margins equal PyTorch's", () => {
  it.each(Object.keys(CASES))("%s", async (name) => {
    const names = fixture.names.filter((key) => key.startsWith(`${name}/`));
    const inputNames = names.filter((key) => key.includes("/input")).sort();
    const differentiated = [...inputNames.keys()].filter((index) =>
      names.includes(`${name}/gradient${index}`),
    );
    await expectNoLeak(async () => {
      const inputs = inputNames.map((key) => fixture.tensor(key));
      const seed = fixture.tensor(`${name}/seed`);
      const { value, grads } = valueAndGrad(
        () => CASES[name](...inputs),
        differentiated.map((index) => inputs[index]),
        { seed },
      );
      await expect(value).toBeCloseToTensor(fixture.host(`${name}/output`));
      for (const [index, position] of differentiated.entries())
        await expect(grads[index]).toBeCloseToTensor(fixture.host(`${name}/gradient${position}`));
      dispose([...inputs, seed, value, ...grads]);
    });
  });
});

describe("losses with margins", () => {
  beforeAll(() => useDevice("cpu"));

  it("keep scores far from 0 finite, and do not look at what does not count", async () => {
    await expectNoLeak(async () => {
      const [far, signs] = [tensor([-200, 200]), tensor([1, -1])];
      const soft = valueAndGrad((x) => softMarginLoss(x, signs, { reduction: "sum" }), [far]);
      expect([...(await soft.value.data())]).toEqual([400]);
      expect([...(await soft.grads[0].data())]).toEqual([-1, 1]);
      const labels = tensor([[1, -1, 7]], undefined, "int32"); // 7 is no class, but comes after the end
      const scores = tensor([[Number.NEGATIVE_INFINITY, 0, 0.5]]);
      const margin = valueAndGrad((x) => multiLabelMarginLoss(x, labels), [scores]);
      expect((await margin.value.data())[0]).toBeCloseTo(0.5, 6);
      expect([...(await margin.grads[0].data())]).toEqual([0, -1 / 3, 1 / 3].map(Math.fround));
      dispose([far, signs, labels, scores, soft.value, ...soft.grads, margin.value, ...margin.grads]);
    });
  });

  const none = undefined as unknown as Tensor;
  const integers = (...values: number[]): Tensor => tensor(Int32Array.from(values));
  it.each<[string, () => Tensor, RegExp]>([
    [
      "ranking without a target",
      () => marginRankingLoss(zeros([2]), zeros([2]), none),
      /int32 target, got un/,
    ],
    ["ranking of two shapes", () => marginRankingLoss(zeros([2]), zeros([2]), zeros([1])), /\[2\] and \[1\]/],
    ["hinge of a bool", () => hingeEmbeddingLoss(zeros([2]), zeros([2], "bool")), /float32 or int32 target/],
    ["soft margins of two shapes", () => softMarginLoss(zeros([2, 1]), zeros([2])), /of one shape/],
    [
      "margins without classes",
      () => multiMarginLoss(zeros([]), integers(1)),
      /\[\.\.\., classes\], got \[\]/,
    ],
    ["a class out of range", () => multiMarginLoss(zeros([1, 3]), integers(3)), /in \[0, 3\)/],
    ["a label out of range", () => multiLabelMarginLoss(zeros([2]), integers(0, 2)), /in \[0, 2\)/],
    ["a label below −1", () => multiLabelMarginLoss(zeros([2]), integers(0, -2)), /in \[0, 2\)/],
    ["labels of another shape", () => multiLabelMarginLoss(zeros([1, 2]), integers(0)), /shape \[1, 2\]/],
    ["a weight too few", () => multiMarginLoss(zeros([2]), integers(0), { weight: [1] }), /shape \[\]/],
    [
      "weights of another number",
      () => multiLabelSoftMarginLoss(zeros([2]), zeros([2]), { weight: [1] }),
      /weights of shape \[2\], got \[1\]/,
    ],
    [
      "a distance that is a number",
      () =>
        tripletMarginWithDistanceLoss(zeros([2]), zeros([2]), zeros([2]), {
          distanceFunction: (() => 1) as never,
        }),
      /float32 result of distanceFunction, got number/,
    ],
  ])("refuse %s", async (_, call, message) => {
    await expectNoLeak(async () => {
      expect(() => tidy(call)).toThrow(message);
    });
  });

  it("refuse options out of range and those that do not exist", () => {
    expect(() => new MarginRankingLoss({ margin: Number.NaN })).toThrow(/finite margin, got NaN/);
    expect(() => new MultiMarginLoss({ order: 3 as never })).toThrow(/order 1 or 2, got 3/);
    expect(() => new MultiMarginLoss({ margin: "1" as never })).toThrow(/finite margin, got 1/);
    expect(() => new TripletMarginWithDistanceLoss({ margin: 0 })).toThrow(/margin above 0, got 0/);
    expect(() => new TripletMarginWithDistanceLoss({ distanceFunction: "l2" as never })).toThrow(
      /a function as distanceFunction, got string/,
    );
    const some = [HingeEmbeddingLoss, MarginRankingLoss, MultiLabelMarginLoss, MultiLabelSoftMarginLoss];
    for (const Loss of [...some, MultiMarginLoss, SoftMarginLoss, TripletMarginWithDistanceLoss]) {
      expect(() => new Loss({ sizeAverage: true } as object)).toThrow(/got one named sizeAverage/);
      expect(() => new Loss({ reduction: "all" as Reduction })).toThrow(/got all/);
    }
  });
});
