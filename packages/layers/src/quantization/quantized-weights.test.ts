import {
  add,
  dispose,
  InputError,
  memory,
  randomNormal,
  read,
  type Tensor,
  WeightsError,
  zeros,
} from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import {
  type AnyModule,
  applyLora,
  BatchNorm2d,
  Bilinear,
  Conv1d,
  Conv2d,
  Conv3d,
  ConvTranspose1d,
  ConvTranspose2d,
  constant,
  Embedding,
  GRU,
  LayerNorm,
  Linear,
  LSTM,
  LSTMCell,
  loadQuantized,
  Module,
  MultiheadAttention,
  mergeLora,
  Parameter,
  QuantizedEmbedding,
  QuantizedLinear,
  QuantizedParameter,
  quantizationReport,
  quantizeModel,
  RNN,
  Sequential,
  weightNorm,
  writeQuantized,
} from "../index.js";
import { tensorsIn } from "../summary.js";
import { pruneWeights } from "../training/index.js";

/** Every layer whose weights are exchanged in place, its inputs, and the names of those weights. */
const LAYERS: Readonly<
  Record<string, { build: () => AnyModule; inputs: () => Tensor[]; weights: readonly string[] }>
> = {
  Conv1d: {
    build: () => new Conv1d(8, 6, 5, { groups: 2, padding: 2, paddingMode: "reflect" }),
    inputs: () => [randomNormal([2, 9, 8])],
    weights: ["weight"],
  },
  Conv2d: {
    build: () => new Conv2d(4, 6, 3, { padding: "same" }),
    inputs: () => [randomNormal([2, 4, 5, 4])],
    weights: ["weight"],
  },
  Conv3d: {
    build: () => new Conv3d(2, 3, [2, 3, 3], { stride: [1, 2, 1] }),
    inputs: () => [randomNormal([1, 3, 5, 4, 2])],
    weights: ["weight"],
  },
  ConvTranspose1d: {
    build: () => new ConvTranspose1d(4, 6, 4, { stride: 2, groups: 2 }),
    inputs: () => [randomNormal([2, 5, 4])],
    weights: ["weight"],
  },
  ConvTranspose2d: {
    build: () => new ConvTranspose2d(3, 4, 3, { stride: 2, outputPadding: 1 }),
    inputs: () => [randomNormal([1, 3, 4, 3])],
    weights: ["weight"],
  },
  "MultiheadAttention of one input": {
    build: () => new MultiheadAttention(16, 4),
    inputs: () => {
      const x = randomNormal([2, 5, 16]);
      return [x, x, x];
    },
    weights: ["in_proj_weight", "out_proj.weight"],
  },
  "MultiheadAttention of three sizes": {
    build: () => new MultiheadAttention(16, 2, { keyDim: 10, valueDim: 12, bias: false }),
    inputs: () => [randomNormal([2, 3, 16]), randomNormal([2, 4, 10]), randomNormal([2, 4, 12])],
    weights: ["q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight"],
  },
  LSTM: {
    build: () => new LSTM(8, 16, { bidirectional: true, projSize: 8 }),
    inputs: () => [randomNormal([2, 3, 8])],
    weights: ["", "_reverse"].flatMap((end) => ["ih", "hh", "hr"].map((kind) => `weight_${kind}_l0${end}`)),
  },
  GRU: {
    build: () => new GRU(8, 12, { numLayers: 2 }),
    inputs: () => [randomNormal([2, 3, 8])],
    weights: ["weight_ih_l0", "weight_hh_l0", "weight_ih_l1", "weight_hh_l1"],
  },
  RNN: {
    build: () => new RNN(8, 12, { bias: false }),
    inputs: () => [randomNormal([2, 3, 8])],
    weights: ["weight_ih_l0", "weight_hh_l0"],
  },
  LSTMCell: {
    build: () => new LSTMCell(8, 12),
    inputs: () => [randomNormal([2, 8])],
    weights: ["weight_ih", "weight_hh"],
  },
  Bilinear: {
    build: () => new Bilinear(4, 5, 3),
    inputs: () => [randomNormal([2, 4]), randomNormal([2, 5])],
    weights: ["weight"],
  },
};

/** One of each kind: the op is tested there with all its shapes. */
const SLOW_DEVICE_LAYERS = ["Conv1d", "MultiheadAttention of one input", "RNN"];

/** Numbers as they are after rounding to 8 bits, a scale a row of the checkpoint's layout, in plain loops. */
function rounded(values: Float32Array, rows: number): Float32Array {
  const columns = values.length / rows;
  return values.map((value, index) => {
    const row = Math.floor(index / columns) * columns;
    const scale = Math.fround(Math.max(...values.slice(row, row + columns).map(Math.abs)) / 127);
    return Math.fround(Math.round(value / scale) * scale);
  });
}

describeEachDevice("weights of few bits in the place of parameters", (device) => {
  it.each(device === "webgpu" ? SLOW_DEVICE_LAYERS : Object.keys(LAYERS))(
    "%s computes with the rounded weights, and loads strictly from its file",
    async (name) => {
      const { build, inputs, weights } = LAYERS[name];
      const before = memory().numTensors;
      const [model, plain] = [build().initialize({ seed: 3 }), build()];
      const floats = await model.stateDict();
      plain.loadStateDict(
        new Map(
          [...floats].map(([key, entry]) =>
            weights.includes(key)
              ? [key, { ...entry, values: rounded(entry.values as Float32Array, entry.shape[0]) } as never]
              : [key, entry],
          ),
        ),
      );
      const rows = quantizeModel(model, { bits: 8 });
      expect(
        rows
          .flatMap(({ path, given }) => given.map((part) => (path === "" ? part : `${path}.${part}`)))
          .sort(),
      ).toEqual(weights.flatMap((weight) => [weight, `${weight}_scale`]).sort());
      expect(model.namedParameters().map(([key]) => key)).toEqual(
        [...floats.keys()].filter((key) => !weights.includes(key)),
      );
      const given = inputs();
      const [small, exact] = [model, plain].map((each) => tensorsIn(each.call(...given)));
      // products of numbers that differ by a rounding of float32
      for (const [index, output] of small.entries())
        await expect(output).toBeCloseToTensor(exact[index], { relative: 1e-4 });
      const file = await writeQuantized(model);
      const again = await loadQuantized(build(), file);
      expect(await again.stateDict()).toEqual(await model.stateDict());
      expect([...(await again.stateDict()).keys()].sort()).toEqual(
        [...floats.keys(), ...weights.map((weight) => `${weight}_scale`)].sort(),
      );
      const loaded = tensorsIn(again.call(...given));
      for (const [index, output] of loaded.entries())
        expect(await read(output)).toEqual(await read(small[index]));
      dispose([given, small, exact, loaded]);
      for (const each of [model, plain, again]) each.dispose();
      expect(memory().numTensors).toBe(before);
    },
  );

  it("reports each weight, and names every one that stays float32 with its reason", async () => {
    const before = memory().numTensors;
    const model = new Mixed().initialize({ seed: 1 });
    const state = await model.stateDict();
    const x = randomNormal([2, 6, 32]);
    const report = await quantizationReport(model, {
      bits: 4,
      sampleInputs: [[x]],
      predicate: (_, path) => path !== "head",
    });
    expect(await model.stateDict()).toEqual(state);
    expect(report.layers.map(({ path, weight, layer }) => [path, weight, layer])).toEqual([
      ["recurrent", "weight_ih_l0", "GRU"],
      ["recurrent", "weight_hh_l0", "GRU"],
      ["attention", "in_proj_weight", "MultiheadAttention"],
      ["attention.out_proj", "weight", "Linear"],
    ]);
    for (const { outputError, weightError, bytesAfter, bytesBefore } of report.layers) {
      expect(weightError).toBeGreaterThan(0.01);
      expect(weightError).toBeLessThan(0.15);
      expect(outputError).toBeGreaterThan(0.001);
      expect(outputError).toBeLessThan(0.3);
      expect(bytesAfter).toBe((bytesBefore / 32) * (4 + 1)); // half a byte each, four a group of 32
    }
    const left = Object.fromEntries(report.left.map(({ path, reason }) => [path, reason]));
    expect(left).toEqual({
      "recurrent.bias_ih_l0": "a vector",
      "recurrent.bias_hh_l0": "a vector",
      "attention.in_proj_bias": "a vector",
      "attention.out_proj.bias": "a vector",
      "norm.weight": "a vector",
      "norm.bias": "a vector",
      "depthwise.weight": "rows too short: 640 bytes of few bits in place of 384",
      "depthwise.bias": "a vector",
      positions: "Mixed does not name it as a weight to quantize",
      "head.bias": "a vector",
      "head.parametrizations.weight.original0": "WeightNorm does not name it as a weight to quantize",
      "head.parametrizations.weight.original1": "WeightNorm does not name it as a weight to quantize",
    });
    const all = report.layers.reduce((total, row) => total + row.bytesBefore, 0);
    expect(report.left.reduce((total, { bytes }) => total + bytes, all)).toBe(report.bytesBefore);
    expect(String(report)).toMatch(/positions +\[6, 32\] +Mixed does not name .* 768\n.*8 vectors/s);

    quantizeModel(model, { bits: 4, predicate: (_, path) => path !== "head" });
    const small = await quantizationReport(model, { predicate: (_, path) => path === "nothing" }).catch(
      String,
    );
    expect(small).toMatch(/got none that the predicate takes/);
    const y = model.call(x);
    dispose([x, y]);
    model.dispose();
    expect(memory().numTensors).toBe(before);
  });

  it("keeps one small weight where layers share one, and weights of few bits beside adapters and norms", async () => {
    const before = memory().numTensors;
    const table = new Embedding(20, 32);
    const out = new Linear(32, 20, { bias: false });
    out.weight = table.weight;
    const model = new Sequential(table as unknown as Linear, out);
    quantizeModel(model);
    const [a, b] = model.namedModules().flatMap(([, module]) => ("weight" in module ? [module.weight] : []));
    expect(a).toBeInstanceOf(QuantizedParameter);
    expect(b).toBe(a);
    model.dispose();

    const normed = weightNorm(new Linear(32, 4));
    const rounding = QuantizedLinear.from(normed);
    for (const each of [normed, rounding]) each.dispose();

    // evaluation folds a norm into the filter of a convolution: never into one of few bits
    const folded = new Sequential(new Conv2d(4, 4, 3), new BatchNorm2d(4)).eval();
    quantizeModel(folded);
    const x = randomNormal([1, 4, 4, 4]);
    const first = folded.call(x);
    const live = memory().numTensors;
    const second = folded.call(x);
    expect(memory().numTensors).toBe(live + 1);
    dispose([x, first, second]);
    folded.dispose();

    const adapted = new Sequential(new Conv1d(8, 8, 3));
    quantizeModel(adapted);
    applyLora(adapted, { targetModules: ["0"], rank: 2, useDora: true });
    const input = zeros([1, 5, 8]);
    const y = adapted.call(input);
    expect(adapted.parameters().filter(({ requiresGrad }) => requiresGrad).length).toBe(3);
    await expect(mergeLora(adapted)).rejects.toThrow(/expected float32 weights, got quantized ones at 0/);
    dispose([input, y]);
    adapted.dispose();
    expect(memory().numTensors).toBe(before);
  });

  it("is initialized to what the model of float32 would be, rounded", async () => {
    const before = memory().numTensors;
    const build = (): AnyModule =>
      new Sequential(
        new Embedding(7, 32, { paddingIdx: 2 }) as never,
        new Linear(32, 8, { biasInitializer: constant(3) }),
        new Conv1d(8, 8, 3),
      );
    const how = { bits: 4, symmetric: false } as const;
    const small = build();
    const rows = quantizeModel(small, how);
    expect(rows.length).toBe(3);
    // a seed of its own: what another file of this process left may be the one below
    const first = await small.initialize({ seed: 4 }).stateDict();
    small.initialize({ seed: 5 });
    const float = build().initialize({ seed: 5 });
    quantizeModel(float, how);
    expect(await small.stateDict()).toEqual(await float.stateDict());
    expect(await small.stateDict()).not.toEqual(first);
    // one that is built by itself starts as the layer that it stands for
    const alone = new QuantizedLinear(32, 8, how).initialize({ seed: 1 });
    const plain = new Linear(32, 8).initialize({ seed: 1 });
    const rounding = QuantizedLinear.from(plain, how);
    const [own, expected] = [await alone.stateDict(), await rounding.stateDict()];
    expect(own.get("weight")).toEqual(expected.get("weight"));
    expect(own.get("weight_scale")).toEqual(expected.get("weight_scale"));
    const padded = new Embedding(7, 32, { paddingIdx: 2 });
    const table = QuantizedEmbedding.from(padded, how).initialize({ seed: 1 });
    const padding = await table.stateDict();
    table.initialize({ seed: 2 });
    const [numbers, others] = [
      padding.get("weight")!.values,
      (await table.stateDict()).get("weight")!.values,
    ];
    expect([...numbers.slice(8, 12)]).toEqual([...others.slice(8, 12)]); // 32 numbers of 4 bits a row: zeros
    expect(numbers).not.toEqual(others);
    for (const each of [small, float, alone, plain, rounding, padded, table]) each.dispose();
    expect(memory().numTensors).toBe(before);
  });

  it("refuses what it cannot do, and leaves the model alone", async () => {
    const lstm = new LSTM(8, 8);
    const file = await writeQuantized(lstm);
    await expect(loadQuantized(new LSTM(8, 9), file)).rejects.toThrow(
      /weight_hh_l0 \(expected shape \[36, 9\]/,
    );
    quantizeModel(lstm);
    const small = await writeQuantized(lstm);
    await expect(loadQuantized(lstm, small)).rejects.toThrow(/not quantized yet.*few bits already/s);
    await expect(loadQuantized(new GRU(8, 8), small)).rejects.toThrow(
      /weight_ih_l0 \(expected I8 \[24,8\], got I8 \[32,8\]\), weight_hh_l0/,
    );
    await expect(loadQuantized(new Linear(8, 8), small)).rejects.toThrow(/weight_ih_l0 \(none\)/);
    await expect(loadQuantized(lstm, new Uint8Array(3))).rejects.toThrow(WeightsError);
    const biased = new LSTM(8, 8, { bias: false });
    const names = [...(await biased.stateDict()).keys()];
    await expect(loadQuantized(biased, small)).rejects.toThrow(/unused: bias_/);
    expect([...(await biased.stateDict()).keys()]).toEqual(names);
    expect(() => quantizeModel(lstm)).toThrow(/expected weights to quantize in LSTM, got none/);
    expect(
      () =>
        new QuantizedParameter({
          shape: [3],
          dtype: "float32",
          checkpointPermutation: undefined,
          initializer: constant(0),
        }),
    ).toThrow(InputError);
    const conv = new Sequential(new Conv1d(8, 8, 3));
    quantizeModel(conv);
    expect(() => weightNorm(conv.layers[0])).toThrow(/few bits; do this before quantizeModel/);
    await expect(pruneWeights(conv, { amount: 0.5 })).rejects.toThrow(InputError);
    await expect(writeQuantized(conv, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    for (const each of [lstm, biased, conv]) each.dispose();
  });
});

class Mixed extends Module<[x: Tensor], Tensor> {
  readonly recurrent = new GRU(32, 32);
  readonly attention = new MultiheadAttention(32, 2);
  readonly norm = new LayerNorm(32);
  readonly depthwise = new Conv1d(32, 32, 3, { groups: 32, padding: 1 });
  readonly positions = new Parameter([6, 32], { initializer: constant(1) });
  readonly head = weightNorm(new Linear(32, 32));
  protected forward(x: Tensor): Tensor {
    const { output } = this.recurrent.call(add(x, this.positions.value));
    const mixed = this.attention.call(output, output, output).output;
    return this.head.call(this.depthwise.call(this.norm.call(mixed)));
  }
}
