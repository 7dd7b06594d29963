import {
  dispose,
  InputError,
  manualSeed,
  memory,
  randomNormal,
  read,
  type Tensor,
  tensor,
  WeightsError,
  zeros,
} from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import {
  applyLora,
  Conv2d,
  Embedding,
  Flatten,
  Linear,
  loadQuantized,
  Module,
  QuantizedParameter,
  quantizationReport,
  quantizeModel,
  ReLU,
  Sequential,
  writeQuantized,
} from "../index.js";
import { profile } from "../training/index.js";

/** A weight that both widths hold exactly: whole steps, the largest of each group 7 (or 127). */
function exact(shape: readonly number[], most: number): Tensor {
  const size = shape.reduce((product, length) => product * length, 1);
  return tensor(
    Float32Array.from({ length: size }, (_, i) => (i % 8 === 0 ? most : ((i * 5) % 15) - 7) / 8),
    shape,
  );
}

class Reader extends Module<[ids: Tensor], Tensor> {
  readonly table = new Embedding(9, 32);
  readonly body = new Sequential(new Linear(32, 16), new ReLU());
  readonly head = new Linear(16, 3);
  protected forward(ids: Tensor): Tensor {
    return this.head.call(this.body.call(this.table.call(ids)));
  }
}

const picture = (): Sequential =>
  new Sequential(
    new Conv2d(4, 6, 3, { padding: 1, groups: 2 }),
    new ReLU(),
    new Flatten(),
    new Linear(96, 5),
  );

describeEachDevice("quantized models", () => {
  it("computes with the rounded weights, which fit exactly here, and loads strictly from its file", async () => {
    for (const [bits, most] of [
      [8, 127],
      [4, 7],
    ] as const) {
      const before = memory().numTensors;
      const model = new Reader();
      model.table.weight.setValue(exact([9, 32], most));
      model.body.layers[0].parameters()[0].setValue(exact([16, 32], most));
      model.head.weight.setValue(exact([3, 16], most));
      const ids = tensor(new Int32Array([8, 0, 3, 3]), [2, 2], "int32");
      const expected = model.call(ids);
      const rows = quantizeModel(model, { bits });
      expect(rows.map(({ path, from, to, kept }) => [path, from, to, kept])).toEqual([
        ["table", "Embedding", "QuantizedEmbedding", []],
        ["body.0", "Linear", "QuantizedLinear", ["bias"]],
        ["head", "Linear", "QuantizedLinear", ["bias"]],
      ]);
      const output = model.call(ids);
      await expect(output).toBeCloseToTensor({
        shape: [2, 2, 3],
        dtype: "float32",
        values: await read(expected),
      });
      expect(model.parameters().length).toBe(2);
      const file = await writeQuantized(model);
      const again = await loadQuantized(new Reader(), file);
      expect(await again.stateDict()).toEqual(await model.stateDict());
      const copy = new Reader();
      quantizeModel(copy, { bits }); // a checkpoint of a run: same structure, then the state
      copy.loadStateDict(await model.stateDict());
      expect(await copy.stateDict()).toEqual(await model.stateDict());
      dispose([ids, expected, output]);
      for (const each of [model, again, copy]) each.dispose();
      expect(memory().numTensors).toBe(before);
    }
  });

  it("reports size and errors without changing the model, then does what it said", async () => {
    const before = memory().numTensors;
    manualSeed(5);
    const model = picture().initialize({ seed: 5 });
    const x = randomNormal([2, 4, 4, 4]);
    const state = await model.stateDict();
    const output = model.call(x);
    let asked = 0;
    const options = {
      bits: 4,
      symmetric: false,
      predicate: (_: unknown, path: string) => path !== "1",
    } as const;
    const report = await quantizationReport(model, {
      ...options,
      sampleInputs: [[x]],
      metric: () => ++asked,
    });
    expect(await model.stateDict()).toEqual(state);
    expect(report.layers.map(({ path, bits, bytesBefore }) => [path, bits, bytesBefore])).toEqual([
      ["0", 4, 4 * 9 * 2 * 6],
      ["3", 4, 4 * 96 * 5],
    ]);
    for (const { weightError, outputError, bytesAfter, bytesBefore } of report.layers) {
      expect(weightError).toBeGreaterThan(0.01);
      expect(weightError).toBeLessThan(0.2);
      expect(outputError).toBeLessThan(0.2);
      expect(bytesAfter).toBeLessThan(bytesBefore);
    }
    expect([report.metricBefore, report.metricAfter]).toEqual([1, 2]);
    expect(String(report)).toMatch(/3\.weight +Linear +4 +32 +1,920 +\d+ .*metric: 1 before, 2 after/s);
    quantizeModel(model, options);
    expect((model.layers[0] as Conv2d).weight).toBeInstanceOf(QuantizedParameter);
    expect(model.layers[3].constructor.name).toBe("QuantizedLinear");
    const small = model.call(x);
    const [a, b] = [[...(await read(output))], [...(await read(small))]];
    const [error, size] = [0, 1].map((which) =>
      a.reduce((total, value, i) => total + (which === 0 ? (value - b[i]) ** 2 : value ** 2), 0),
    );
    expect(Math.sqrt(error / size)).toBeCloseTo(report.outputError!, 5);
    dispose([x, output, small]);
    model.dispose();
    expect(memory().numTensors).toBe(before);
  });

  it("trains adapters on a quantized model", async () => {
    const model = new Sequential(new Linear(8, 8), new ReLU(), new Linear(8, 2));
    quantizeModel(model);
    const adapted = applyLora(model, { targetModules: "all-linear", rank: 2, useDora: true });
    expect(adapted.map(({ path, layer, trainable }) => [path, layer, trainable])).toEqual([
      ["0", "QuantizedLinear", 8 * 2 * 2 + 8],
      ["2", "QuantizedLinear", 8 * 2 + 2 * 2 + 2],
    ]);
    const x = zeros([1, 8], "float32", 1);
    const y = model.call(x);
    expect(y.shape).toEqual([1, 2]);
    const summary = model.summary([1, 8]);
    // rows of 16 bytes and a scale each, biases, adapters
    const bytes = [8 * (16 + 4), 2 * (16 + 4)];
    expect(summary).toMatchObject({
      parameters: 72 + 18 + 62,
      trainableParameters: 62,
      parameterBytes: bytes[0] + bytes[1] + 4 * (8 + 2) + 4 * 62,
    });
    expect(String(summary)).toMatch(/parameters +trainable/);
    expect(String(summary)).toMatch(/0: QuantizedLinear +\[1, 8\] +72 +0 /);
    expect(String(model)).toContain("0: QuantizedLinear [8, 8] [8]");
    const { rows } = await profile(model, x, { repeats: 1, backward: false });
    expect(rows.find(({ path }) => path === "0")?.parameterBytes).toBe(bytes[0] + 4 * 8);
    dispose([x, y]);
    model.dispose();
  });

  it("refuses what it cannot do, and leaves the model alone", async () => {
    const model = new Reader();
    expect(() => quantizeModel(model, { bits: 2 as never })).toThrow(InputError);
    expect(() => quantizeModel(model, { bit: 8 } as never)).toThrow(/one named bit/);
    expect(() => quantizeModel(model, { predicate: () => false })).toThrow(
      /got none that the predicate takes/,
    );
    model.head.weight = model.body.layers[0].ownParameters()[0];
    expect(() => quantizeModel(model, { predicate: (_, path) => path === "head" })).toThrow(
      /layer outside uses/,
    );
    await expect(quantizationReport(model, { sampleInputs: zeros([1]) as never })).rejects.toThrow(
      /sampleInputs/,
    );

    const two = new Sequential(new Linear(8, 8), new Linear(8, 8)).initialize({ seed: 1 });
    const samples = [[zeros([1, 8])], [zeros([1, 7])]];
    const before = memory().numTensors;
    await expect(quantizationReport(two, { sampleInputs: samples })).rejects.toThrow(/\[1, 7\]/);
    expect(memory().numTensors).toBe(before);
    dispose(samples);
    two.dispose();

    const small = picture();
    const plain = await writeQuantized(small);
    quantizeModel(small, { bits: 4 });
    const file = await writeQuantized(small);
    const other = new Sequential(new Linear(4, 4));
    const names = [...(await other.stateDict()).keys()];
    await expect(loadQuantized(other, file)).rejects.toThrow(/got 3\.weight \(none\)/);
    await expect(loadQuantized(other, plain)).rejects.toThrow(/unused: 3\.bias, 3\.weight; mis-shaped/);
    const wider = new Sequential(
      new Conv2d(4, 6, 3, { groups: 2 }),
      new ReLU(),
      new Flatten(),
      new Linear(98, 5),
    );
    await expect(loadQuantized(wider, file)).rejects.toThrow(
      /3\.weight \(expected U8 \[5,49\], got U8 \[5,48\]\)/,
    );
    await expect(loadQuantized(small, file)).rejects.toThrow(/not quantized yet/);
    await expect(loadQuantized(picture(), new Uint8Array(9))).rejects.toThrow(WeightsError);
    await expect(loadQuantized(picture(), file, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    expect([...(await other.stateDict()).keys()]).toEqual(names);
    for (const each of [model, small, other, wider]) each.dispose();
  });
});
