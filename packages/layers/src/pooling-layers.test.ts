import { cast, ones, sum, type Tensor, tensor, useDevice, valueAndGrad, zeros } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { beforeAll, expect, it } from "vitest";
import * as layers from "./index.js";
import { expectLikeTorch, type LayerCase, loadLayerFixture } from "./testing/layer-cases.js";

/** A pooling with places and its reverse, as the fixture has them. */
class Unpooled extends layers.Module<[x: Tensor], Tensor[]> {
  constructor(
    readonly pool: layers.MaxPool1d<true> | layers.MaxPool2d<true> | layers.MaxPool3d<true>,
    readonly unpool: layers.MaxUnpool1d | layers.MaxUnpool2d | layers.MaxUnpool3d,
  ) {
    super();
  }

  protected forward(x: Tensor): Tensor[] {
    const { values, indices } = this.pool.call(x);
    const outputSize = x.shape.slice(1, -1);
    return [values, cast(indices, "float32"), this.unpool.call(values, indices, { outputSize })];
  }
}

const places = { returnIndices: true } as const;
const callUnpooled = (module: Unpooled, inputs: Tensor[]) => module.call(inputs[0]);
const offsets = [0, 2, 2, 5, 7];
const modes = ["sum", "mean", "max"] as const;

/** Attributes as in tooling/fixtures/layers/pooling_layers.py. */
const CASES: readonly LayerCase[] = [
  {
    name: "max_unpool1d",
    build: () => new Unpooled(new layers.MaxPool1d(2, places), new layers.MaxUnpool1d(2)),
    call: callUnpooled,
  },
  {
    name: "max_unpool2d",
    build: () =>
      new Unpooled(
        new layers.MaxPool2d(3, { stride: 2, ...places }),
        new layers.MaxUnpool2d(3, { stride: 2 }),
      ),
    call: callUnpooled,
  },
  {
    name: "max_unpool3d",
    build: () => new Unpooled(new layers.MaxPool3d([2, 1, 3], places), new layers.MaxUnpool3d([2, 1, 3])),
    call: callUnpooled,
  },
  {
    name: "avg_pool2d_divisor",
    build: () => new layers.AvgPool2d(3, { stride: 2, padding: 1, divisorOverride: 4 }),
  },
  {
    name: "avg_pool3d_divisor",
    build: () => new layers.AvgPool3d(2, { ceilMode: true, divisorOverride: 3 }),
  },
  { name: "adaptive_avg_pool1d", build: () => new layers.AdaptiveAvgPool1d(3) },
  { name: "adaptive_avg_pool3d", build: () => new layers.AdaptiveAvgPool3d([3, null, 4]) },
  { name: "adaptive_max_pool1d", build: () => new layers.AdaptiveMaxPool1d(3) },
  { name: "adaptive_max_pool2d", build: () => new layers.AdaptiveMaxPool2d([null, 4]) },
  { name: "adaptive_max_pool3d", build: () => new layers.AdaptiveMaxPool3d([3, 2, 4]) },
  ...modes.flatMap((mode): LayerCase[] => [
    { name: `embedding_bag_${mode}`, build: () => new layers.EmbeddingBag(5, 3, { mode }) },
    {
      name: `embedding_bag_${mode}_padding`,
      build: () => new layers.EmbeddingBag(5, 3, { mode, paddingIdx: 0 }),
    },
    {
      name: `embedding_bag_${mode}_offsets`,
      build: () => new layers.EmbeddingBag(5, 3, { mode, paddingIdx: -5, includeLastOffset: true }),
      call: (module: layers.EmbeddingBag, [ids]) => [module.call(ids, { offsets })],
    },
  ]),
  {
    name: "embedding_bag_weights",
    build: () => new layers.EmbeddingBag(5, 3, { mode: "sum" }),
    call: (module: layers.EmbeddingBag, [ids, perSampleWeights]) => [
      module.call(ids, { offsets: Int32Array.from(offsets.slice(0, -1)), perSampleWeights }),
    ],
  },
];

describeEachDevice("pooling and bags equal PyTorch's, forward and backward", () => {
  for (const layerCase of CASES)
    it(layerCase.name, async () => {
      await expectLikeTorch(await loadLayerFixture("pooling-layers"), layerCase);
    });
});

beforeAll(() => useDevice("cpu"));

it("of equal maxima in a bag the first one has the gradient, as in PyTorch", async () => {
  const bag = new layers.EmbeddingBag(3, 1, { mode: "max" });
  bag.weight.setValue(ones([3, 1]));
  const ids = tensor([[0, 1, 2]], [1, 3], "int32");
  const { grads } = valueAndGrad(() => sum(bag.call(ids)), [bag.weight.value]);
  await expect(grads[0]).toBeCloseToTensor({ shape: [3, 1], dtype: "float32", values: [1, 0, 0] });
});

it("bags refuse what does not fit", () => {
  const bag = new layers.EmbeddingBag(5, 3);
  const flat = tensor(Int32Array.of(1, 2, 3));
  expect(() => bag.call(flat)).toThrow(/expected offsets as an array of numbers/);
  expect(() => bag.call(flat, { offsets: [1, 2] })).toThrow(/offsets ascending from 0/);
  expect(() => bag.call(flat, { offsets: [0, 4] })).toThrow(/at most the 3 ids/);
  expect(() => bag.call(zeros([1, 2], "int32"), { offsets: [0] })).toThrow(/each row is a bag/);
  expect(() => bag.call(flat, { offsets: [0], perSampleWeights: zeros([3]) })).toThrow(/mode "sum" only/);
  expect(() => new layers.EmbeddingBag(5, 3, { mode: "median" as never })).toThrow(
    /EmbeddingBag: expected mode/,
  );
  expect(() => new layers.AvgPool2d(2, { divisorOverride: 0 })).toThrow(
    /AvgPool2d: expected divisorOverride/,
  );
});
