import {
  concat,
  dispose,
  InputError,
  memory,
  mul,
  reshape,
  sum,
  type Tensor,
  tanh,
  transpose,
  valueAndGrad,
  WeightsError,
  writeSafetensors,
  zeros,
} from "@ai/tensor";
import { describeEachDevice, type Fixture, type HostTensor } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import {
  type AnyModule,
  applyLora,
  Conv1d,
  Conv2d,
  Conv3d,
  Embedding,
  type EmbeddingOptions,
  Linear,
  loadAdapter,
  Module,
  mergeLora,
  type Parameter,
  ReLU,
  removeLora,
  Sequential,
  type StateEntry,
  setActiveAdapters,
  unmergeLora,
  writeAdapter,
} from "../index.js";
import { loadLayerFixture } from "../testing/layer-cases.js";

const fixture = await loadLayerFixture("lora");

/** As in tooling/fixtures/layers/lora.py. */
class Text extends Module<[ids: Tensor], Tensor> {
  readonly table: Embedding;
  readonly conv = new Conv1d(4, 6, 3, { padding: 1 });
  readonly body = new Linear(6, 5);
  readonly head = new Linear(5, 3);
  constructor(limits: EmbeddingOptions = {}) {
    super();
    this.table = new Embedding(7, 4, { paddingIdx: 0, ...limits });
  }
  protected forward(ids: Tensor): Tensor {
    return this.head.call(tanh(this.body.call(tanh(this.conv.call(this.table.call(ids))))));
  }
}

class Image extends Module<[image: Tensor, video: Tensor], Tensor> {
  readonly first = new Conv2d(2, 4, 3, { stride: 2, padding: 1 });
  readonly second = new Conv2d(4, 3, 1, { bias: false });
  readonly volume = new Conv3d(2, 3, 2, { padding: 1 });
  protected forward(image: Tensor, video: Tensor): Tensor {
    const [flat, cells] = [this.second.call(tanh(this.first.call(image))), this.volume.call(video)];
    return concat([reshape(flat, [-1]), reshape(cells, [-1])]);
  }
}

function entriesOf(from: Fixture, prefix: string): Map<string, StateEntry> {
  const names = from.names.filter((name) => name.startsWith(prefix));
  return new Map(names.map((name) => [name.slice(prefix.length), from.host(name) as StateEntry]));
}

function baseModel(name: string): AnyModule {
  const limits = name === "limited" ? { maxNorm: 0.5, normType: 1, scaleGradByFreq: true } : {};
  const model = name.startsWith("images") ? new Image() : new Text(limits);
  model.loadStateDict(entriesOf(fixture, `${name}/base/`));
  return model as AnyModule;
}

function inputsOf(name: string): Tensor[] {
  return ["input0", "input1"].flatMap((key) =>
    fixture.has(`${name}/${key}`) ? [fixture.tensor(`${name}/${key}`)] : [],
  );
}

/** The folder that PEFT wrote. */
async function peftFolder(name: string): Promise<Map<string, Uint8Array>> {
  return new Map([
    ["adapter_config.json", new TextEncoder().encode(fixture.metadata[name])],
    ["adapter_model.safetensors", await writeSafetensors(entriesOf(fixture, `${name}/adapter/`))],
  ]);
}

/** A gradient as PyTorch has it. */
function inCheckpointLayout(gradient: Tensor, { checkpointPermutation }: Parameter): Tensor {
  return checkpointPermutation === undefined ? gradient : transpose(gradient, checkpointPermutation);
}

describeEachDevice("LoRA", () => {
  for (const name of ["lora", "rslora", "dora", "pattern", "images", "images_dora", "limited"])
    it(`${name}: what PEFT saved gives PEFT's outputs and gradients, and is saved as it was`, async () => {
      const model = baseModel(name);
      const inputs = inputsOf(name);
      const plain = model.call(...inputs) as Tensor;
      await expect(plain).toBeCloseToTensor(fixture.host(`${name}/plain`));
      const folder = await peftFolder(name);
      expect(await loadAdapter(model, folder, { trainable: true })).toEqual({ missing: [], unused: [] });

      const seed = fixture.tensor(`${name}/seed`);
      const trained = model.namedParameters().filter(([, { requiresGrad }]) => requiresGrad);
      const { value, grads } = valueAndGrad(
        () => sum(mul(model.call(...inputs) as Tensor, seed)),
        trained.map(([, parameter]) => parameter.value),
      );
      const output = model.call(...inputs) as Tensor;
      await expect(output).toBeCloseToTensor(fixture.host(`${name}/output`));
      const expected = entriesOf(fixture, `${name}/gradient/`);
      expect(trained.length).toBe(expected.size);
      for (const [index, [path, parameter]] of trained.entries()) {
        const gradient = inCheckpointLayout(grads[index], parameter);
        const key = `base_model.model.${path.replace("lora.default.", "")}`;
        await expect(gradient, path).toBeCloseToTensor(expected.get(key)! as HostTensor);
        dispose(gradient);
      }

      const written = await writeAdapter(model);
      expect(written.get("adapter_model.safetensors")!.length).toBeGreaterThan(100);
      const again = baseModel(name);
      await loadAdapter(again, written);
      const same = again.call(...inputs) as Tensor;
      await expect(same).toBeCloseToTensor(fixture.host(`${name}/output`));
      dispose([plain, inputs, seed, value, grads, output, same]);
      model.dispose();
      again.dispose();
    });

  it("merges into the weights and back bit for bit, and leaves a plain model behind", async () => {
    for (const name of ["dora", "images_dora", "rslora"]) {
      const before = memory().numTensors;
      const model = baseModel(name);
      const inputs = inputsOf(name);
      await loadAdapter(model, await peftFolder(name));
      const weights = await model.stateDict();
      await mergeLora(model);
      const merged = model.call(...inputs) as Tensor;
      await expect(merged).toBeCloseToTensor(fixture.host(`${name}/output`));
      await expect(mergeLora(model)).rejects.toThrow(/merged ones; call unmergeLora/);
      unmergeLora(model);
      expect(await model.stateDict()).toEqual(weights);
      await mergeLora(model);
      removeLora(model);
      const plain = model.call(...inputs) as Tensor;
      await expect(plain).toBeCloseToTensor(fixture.host(`${name}/output`));
      const names = [...(await model.stateDict()).keys()];
      expect(names.sort()).toEqual([...entriesOf(fixture, `${name}/base/`).keys()].sort());
      dispose([inputs, merged, plain]);
      model.dispose();
      expect(memory().numTensors).toBe(before);
    }
  });

  it("starts as the plain model, freezes it, and keeps several sets apart", async () => {
    const before = memory().numTensors;
    const model = new Text();
    const ids = zeros([1, 3], "int32", 2);
    const plain = model.call(ids);
    const expected = { shape: plain.shape, dtype: plain.dtype, values: await plain.data() };
    expect(applyLora(model, { targetModules: "all-linear", rank: 2, useDora: true })).toEqual([
      { path: "body", layer: "Linear", rank: 2, trainable: 27, frozen: 35 },
      { path: "head", layer: "Linear", rank: 2, trainable: 19, frozen: 18 },
    ]);
    expect(() =>
      applyLora(model, { targetModules: ["body"], adapterName: "other", modulesToSave: ["head"] }),
    ).toThrow(/without adapters, got a Linear/);
    const rows = applyLora(model, {
      targetModules: ["body"],
      rank: 1,
      adapterName: "other",
      modulesToSave: ["conv"],
    });
    expect(rows.map(({ path, rank, trainable, frozen }) => [path, rank, trainable, frozen])).toEqual([
      ["body", 1, 11, 35],
      ["conv", 0, 78, 0],
    ]);
    const trained = () => model.namedParameters().flatMap(([path, p]) => (p.requiresGrad ? [path] : []));
    expect(trained()).toEqual([
      "conv.weight",
      "conv.bias",
      "body.lora.other.lora_A.weight",
      "body.lora.other.lora_B.weight",
    ]);
    const outputs = [["default"], ["other"], []].map((names) => {
      setActiveAdapters(model, names);
      return model.call(ids);
    });
    for (const output of outputs) await expect(output).toBeCloseToTensor(expected);
    expect(trained()).toEqual([]);
    expect(model.summary({ shape: [1, 3], dtype: "int32" }).parameters).toBe(
      28 + 78 + 35 + 18 + 27 + 19 + 11,
    );
    removeLora(model, { adapterName: "default" });
    expect((await model.stateDict()).has("body.lora.default.lora_A.weight")).toBe(false);
    removeLora(model);
    expect(trained().length).toBe(7);
    dispose([ids, plain, outputs]);
    model.dispose();
    expect(memory().numTensors).toBe(before);
  });

  it("drops inputs of the adapter in training only, with DoRA too", async () => {
    const model = new Sequential(new Linear(64, 3, { bias: false }));
    applyLora(model, { targetModules: ["0"], rank: 2, dropout: 0.5, useDora: true });
    const [, up] = model.layers[0].namedParameters().filter(([path]) => path.startsWith("lora"));
    up[1].setValue(zeros(up[1].shape, "float32", 1));
    const x = zeros([4, 64], "float32", 1);
    const [first, second] = [model.call(x), model.call(x)];
    expect(await first.data()).not.toEqual(await second.data());
    model.eval();
    const [third, fourth] = [model.call(x), model.call(x)];
    expect(await third.data()).toEqual(await fourth.data());
    dispose([x, first, second, third, fourth]);
    model.dispose();
  });

  it("refuses what it cannot do, by name", async () => {
    const model = new Text();
    const fails = (options: object, message: RegExp): void => {
      expect(() => applyLora(model, options as never)).toThrow(InputError);
      expect(() => applyLora(model, options as never)).toThrow(message);
    };
    fails({}, /targetModules/);
    fails({ targetModules: ["q_proj"] }, /got "q_proj"; it has table, conv, body, head/);
    fails({ targetModules: /nothing/ }, /fits none/);
    fails({ targetModules: ["body"], rank: 0 }, /rank of at least 1, got 0/);
    fails({ targetModules: ["body"], r: 4 }, /one named r/);
    fails({ targetModules: ["body"], adapterName: "a.b" }, /without dots/);
    fails({ targetModules: ["body"], modulesToSave: ["body"] }, /got body in both/);
    fails({ targetModules: ["body"], modulesToSave: ["tail"] }, /modulesToSave.*"tail"/);
    expect(() => applyLora(new Sequential(new ReLU()), { targetModules: ["0"] })).toThrow(/got ReLU at 0/);
    const grouped = new Sequential(new Conv2d(2, 2, 3, { groups: 2 }));
    expect(() => applyLora(grouped, { targetModules: ["0"] })).toThrow(/without groups/);
    expect(() => unmergeLora(model)).toThrow(/got none/);
    expect(() => removeLora(model)).toThrow(/got none/);
    applyLora(model, { targetModules: ["body"] });
    fails({ targetModules: ["body"] }, /that is free/);
    expect(() => setActiveAdapters(model, ["other"])).toThrow(/"other" of this model, got default/);
    model.dispose();
  });

  it("loads strictly: another model, lost names or settings that change the sum leave the model as it was", async () => {
    const folder = await peftFolder("lora");
    const config = JSON.parse(fixture.metadata.lora);
    const withConfig = (changes: object): Map<string, Uint8Array> =>
      new Map([
        ...folder,
        ["adapter_config.json", new TextEncoder().encode(JSON.stringify({ ...config, ...changes }))],
      ]);
    const model = new Text();
    const names = model.namedParameters().map(([path]) => path);
    for (const [changes, message] of [
      [{ r: 3 }, /base_model\.model\.body\.lora_A\.weight \(expected shape \[3, 6\], got \[2, 6\]\)/],
      [{ target_modules: ["body"] }, /unused: base_model\.model\.conv\.lora_A\.weight/],
      [{ use_dora: true }, /missing: .*lora_magnitude_vector/],
      [{ bias: "all", init_lora_weights: "pissa" }, /got bias "all", init_lora_weights "pissa"/],
      [{ peft_type: "IA3" }, /peft_type LORA, got "IA3"/],
    ] as const)
      await expect(loadAdapter(model, withConfig(changes)), JSON.stringify(changes)).rejects.toThrow(message);
    await expect(loadAdapter(model, withConfig({ peft_type: 1 }))).rejects.toThrow(WeightsError);
    await expect(loadAdapter(model, folder, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    expect(model.namedParameters().map(([path]) => path)).toEqual(names);
    expect(model.parameters().every(({ requiresGrad }) => requiresGrad)).toBe(true);
    await loadAdapter(model, withConfig({ modules_to_save: ["head", "score"] }));
    await expect(writeAdapter(model, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    await expect(writeAdapter(model, { adapterName: "mine" })).rejects.toThrow(/named "mine"/);
    model.dispose();
  });
});
