import {
  dispose,
  mapWeights,
  matMul,
  memory,
  RandomGenerator,
  randomNormal,
  read,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
  writeSafetensors,
} from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import * as layers from "../index.js";
import { spectralNorm, weightNorm } from "../index.js";
import { expectLikeTorch, type LayerCase, loadLayerFixture, storedState } from "../testing/layer-cases.js";

/** Attributes as in tooling/fixtures/layers/parametrizations.py. */
const CASES: readonly LayerCase[] = [
  { name: "weight_norm_linear", build: () => weightNorm(new layers.Linear(4, 3)) },
  { name: "weight_norm_linear_whole", build: () => weightNorm(new layers.Linear(4, 3), { dim: null }) },
  { name: "weight_norm_linear_minus_one", build: () => weightNorm(new layers.Linear(4, 3), { dim: -1 }) },
  {
    name: "weight_norm_conv1d_minus_two",
    build: () => weightNorm(new layers.Conv1d(2, 3, 3), { dim: -2 }),
  },
  { name: "weight_norm_conv2d", build: () => weightNorm(new layers.Conv2d(2, 3, [2, 3])) },
  {
    name: "weight_norm_conv2d_axis",
    build: () => weightNorm(new layers.Conv2d(2, 3, 3, { padding: 1 }), { dim: 1 }),
  },
  {
    name: "weight_norm_transposed",
    build: () => weightNorm(new layers.ConvTranspose1d(4, 2, 3, { stride: 2 })),
  },
  {
    name: "weight_norm_lstm",
    build: () => weightNorm(new layers.LSTM(4, 3), { name: "weight_hh_l0" }),
    call: (module: layers.LSTM, [x]) => [module.call(x).output],
  },
  ...[true, false].flatMap((train): LayerCase[] => [
    {
      name: `spectral_norm_linear_${train ? "train" : "evaluate"}`,
      build: () => spectralNorm(new layers.Linear(4, 3)),
      evaluation: !train,
    },
    {
      name: `spectral_norm_conv2d_${train ? "train" : "evaluate"}`,
      build: () => spectralNorm(new layers.Conv2d(2, 3, [2, 3]), { numPowerIterations: 2 }),
      evaluation: !train,
    },
  ]),
  { name: "spectral_norm_transposed", build: () => spectralNorm(new layers.ConvTranspose2d(2, 3, 2)) },
  { name: "spectral_norm_bias", build: () => spectralNorm(new layers.Linear(4, 3), { name: "bias" }) },
];

const normal = (...shape: number[]): Tensor => randomNormal(shape, { generator: new RandomGenerator(1) });

describeEachDevice("parametrizations", () => {
  for (const layerCase of CASES)
    it(`${layerCase.name} equals PyTorch's, forward, backward and in its state`, async () => {
      await expectLikeTorch(await loadLayerFixture("parametrizations"), layerCase);
    });

  it("weight norm changes no result when it comes and when it goes, and keeps the parameter", async () => {
    const layer = new layers.Conv2d(2, 3, 2).initialize({ seed: 1 });
    const { weight } = layer;
    const x = normal(1, 3, 3, 2);
    const before = layer.call(x);
    weightNorm(layer);
    expect(layers.isParametrized(layer)).toBe(true);
    expect(
      layer
        .namedParameters()
        .map(([path]) => path)
        .sort(),
    ).toEqual(["bias", "parametrizations.weight.original0", "parametrizations.weight.original1"]);
    const during = layer.call(x);
    layers.removeParametrization(layer);
    expect(layers.isParametrized(layer)).toBe(false);
    expect(layer.weight).toBe(weight);
    expect([...(await layer.stateDict()).keys()]).toEqual(["weight", "bias"]);
    const after = layer.call(x);
    const expected = { shape: before.shape, dtype: "float32", values: await read(before) } as const;
    for (const output of [during, after]) await expect(output).toBeCloseToTensor(expected);
    dispose([x, before, during, after]);
    layer.dispose();
  });

  it("spectral norm finds the largest singular value, drawn or stored, and divides by it", async () => {
    const layer = new layers.Linear(2, 2, { bias: false });
    layer.weight.setValue(tensor([3, 0, 4, 5], [2, 2])); // singular values √45 and √5
    spectralNorm(layer).eval();
    const x = tensor([1, 0, 0, 1], [2, 2]);
    const columns = layer.call(x);
    const expected = [3, 4, 0, 5].map((value) => value / Math.sqrt(45));
    await expect(columns).toBeCloseToTensor({
      shape: [2, 2],
      dtype: "float32",
      values: Float32Array.from(expected),
    });
    dispose([x, columns]);
    layer.dispose();
  });

  it("trains, saves, loads and leaks nothing", async () => {
    const build = () =>
      new layers.Sequential(weightNorm(new layers.Linear(3, 4)), spectralNorm(new layers.Linear(4, 2)));
    const [model, other] = [build().initialize({ seed: 1 }), build().initialize({ seed: 2 })];
    const x = normal(2, 3);
    await expectNoLeak(() => {
      const values = model.parameters().map(({ value }) => value);
      const { value, grads } = valueAndGrad(() => sum(model.call(x)), values);
      dispose([value, grads, model.call(x)]);
    });
    await other.load(await writeSafetensors(await model.stateDict()));
    const [a, b] = [model.eval().call(x), other.eval().call(x)];
    await expect(a).toBeCloseToTensor(b, { relative: 0, absoluteScale: 0 });
    const summary = model.summary([2, 3]);
    expect(summary.parameters).toBe(4 + 12 + 4 + 8 + 2);
    expect(summary.rows[0]).toMatchObject({ path: "", layer: "Sequential" });
    dispose([x, a, b]);
    const live = memory().numTensors;
    model.dispose();
    other.dispose();
    expect(live - memory().numTensors).toBe(2 * (3 + 2 + 2));
  });

  it("loads the older names of weight norm through a mapping", async () => {
    const fixture = await loadLayerFixture("parametrizations");
    const layer = weightNorm(new layers.Linear(4, 3));
    const mapped = mapWeights(storedState(fixture, "old"), [
      { from: "{p*}weight_g", to: "{p*}parametrizations.weight.original0" },
      { from: "{p*}weight_v", to: "{p*}parametrizations.weight.original1" },
      { from: "{p*}bias", to: "{p*}bias" },
    ]);
    layer.loadStateDict(await mapped.hosts());
    const x = fixture.tensor("old/input0");
    const y = layer.call(x);
    await expect(y).toBeCloseToTensor(fixture.host("old/output0"));
    dispose([x, y]);
    layer.dispose();
  });

  it("gives the value outside a call, as a tensor of the reader's", async () => {
    const layer = weightNorm(new layers.Linear(3, 2)).initialize({ seed: 3 });
    const x = normal(1, 3);
    expect(() => layer.call(normal(1, 4))).toThrow(/expected an input/);
    const { value } = layer.weight;
    const [product, output] = [matMul(x, value, { transposeB: true }), layer.call(x)];
    const bias = await read(layer.bias!.value);
    const sums = Float32Array.from(await read(product), (sum, index) => sum + bias[index]);
    await expect(output).toBeCloseToTensor({ shape: [1, 2], dtype: "float32", values: sums });
    dispose([x, value, product, output]);
    layer.dispose();
  });

  it("refuses what does not fit", () => {
    const layer = weightNorm(new layers.Linear(3, 2)).initialize({ seed: 1 });
    expect(() => weightNorm(layer)).toThrow(/weightNorm: .*parametrized already/);
    expect(() => weightNorm(new layers.ReLU())).toThrow(
      /expected a parameter of the module itself, got "weight"/,
    );
    expect(() => weightNorm(new layers.Linear(3, 2), { dim: 2 })).toThrow(/dim in \[-2, 2\) or null/);
    expect(() => spectralNorm(new layers.Linear(3, 2), { numPowerIterations: 0 })).toThrow(
      /numPowerIterations/,
    );
    expect(() => spectralNorm(new layers.Linear(3, 2), { epsilon: -1 })).toThrow(/epsilon/);
    expect(() => layers.removeParametrization(new layers.Linear(3, 2))).toThrow(/expected a parametrized/);
    expect(() => layer.weight.setValue(layer.bias!.value)).toThrow(/removeParametrization first/);
    layer.dispose();
  });
});
