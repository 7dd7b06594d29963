import { dispose, InputError, memory, read, type Tensor, tensor, zeros } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import {
  type AnyModule,
  BatchNorm1d,
  Conv2d,
  Embedding,
  LayerNorm,
  Linear,
  Module,
  ReLU,
  RMSNorm,
  replaceModules,
  Sequential,
  SiLU,
} from "../index.js";

const NOTHING = { kept: [], tied: [], given: [], fresh: [], dropped: [], untied: [] };

/** A language model's frame: the scores are made by the table of the words. */
class Tied extends Module<[ids: Tensor], Tensor> {
  readonly embedding = new Embedding(5, 4);
  readonly head = new Linear(4, 5, { bias: false });
  constructor() {
    super();
    this.head.weight = this.embedding.weight;
  }
  protected forward(ids: Tensor): Tensor {
    return this.head.call(this.embedding.call(ids));
  }
}

describeEachDevice("replaceModules", () => {
  it("exchanges norms and activations and keeps the weights that fit", async () => {
    const before = memory().numTensors;
    const model = new Sequential(new Linear(4, 6), new LayerNorm(6), new ReLU(), new Linear(6, 2));
    model.namedParameters()[2][1].setValue(zeros([6], "float32", 3));
    const rows = replaceModules<LayerNorm>(
      model,
      (module) => module instanceof LayerNorm,
      (old) => new RMSNorm(old.normalizedShape[0]),
    );
    expect(rows).toEqual([
      { ...NOTHING, path: "1", from: "LayerNorm", to: "RMSNorm", kept: ["weight"], dropped: ["bias"] },
    ]);
    await expect(model.namedParameters().find(([path]) => path === "1.weight")![1].value).toBeCloseToTensor({
      shape: [6],
      dtype: "float32",
      values: [3, 3, 3, 3, 3, 3],
    });
    replaceModules(
      model,
      (module) => module instanceof ReLU,
      () => new SiLU(),
    );
    expect(model.layers.map((layer) => layer.constructor.name)).toEqual([
      "Linear",
      "RMSNorm",
      "SiLU",
      "Linear",
    ]);
    const x = zeros([3, 4]);
    const y = model.call(x);
    expect(y.shape).toEqual([3, 2]);
    dispose([x, y]);
    model.dispose();
    expect(memory().numTensors).toBe(before);
  });

  it("reaches fields, arrays and parts that are shared, and reports what starts anew", () => {
    class Net extends Module<[], never> {
      readonly shared = new Conv2d(4, 4, 3);
      readonly parts: readonly AnyModule[] = [this.shared, new Conv2d(4, 8, 1)];
      protected forward(): never {
        throw new InputError("not called");
      }
    }
    const net = new Net();
    const rows = replaceModules<Conv2d>(
      net,
      (module, path) => module instanceof Conv2d && path === "shared",
      (old) => new Conv2d(old.inChannels, old.outChannels, old.kernelSize, { groups: old.inChannels }),
    );
    expect(rows).toEqual([
      { ...NOTHING, path: "shared", from: "Conv2d", to: "Conv2d", kept: ["bias"], fresh: ["weight"] },
    ]);
    expect(net.parts[0]).toBe(net.shared);
    expect(net.shared.groups).toBe(4);
    net.dispose();
  });

  it("keeps tied weights tied, and says where it cannot", async () => {
    const before = memory().numTensors;
    const [model, ids] = [new Tied(), tensor([1, 4], [2], "int32")];
    const scores = model.call(ids);
    const expected = { shape: [2, 5], dtype: "float32", values: [...(await read(scores))] } as const;
    const isHead = (_: AnyModule, path: string) => path === "head";
    const row = { ...NOTHING, path: "head", from: "Linear", to: "Linear" };
    expect(replaceModules(model, isHead, () => new Linear(4, 5))).toEqual([
      { ...row, kept: ["weight"], tied: ["weight"], fresh: ["bias"] },
    ]);
    expect(model.head.weight).toBe(model.embedding.weight);
    model.head.bias!.setValue(zeros([5]));
    const again = model.call(ids);
    await expect(again).toBeCloseToTensor(expected);
    expect(replaceModules(model, isHead, () => new Linear(4, 6, { bias: false }))).toEqual([
      { ...row, fresh: ["weight"], dropped: ["bias"], untied: ["weight"] },
    ]);
    const wider = model.call(ids);
    expect(wider.shape).toEqual([2, 6]);
    model.dispose();
    dispose([scores, again, wider, ids]);
    expect(memory().numTensors).toBe(before);
  });

  it("carries running statistics over", async () => {
    const before = memory().numTensors;
    const model = new Sequential(new Linear(2, 3), new BatchNorm1d(3));
    const norm = model.layers[1] as BatchNorm1d;
    norm.runningMean!.setValue(tensor([1, 2, 3]));
    norm.numBatchesTracked!.value = 7;
    const names = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];
    const isNorm = (_: AnyModule, path: string) => path === "1";
    const row = { ...NOTHING, path: "1", from: "BatchNorm1d", to: "BatchNorm1d" };
    expect(replaceModules(model, isNorm, () => new BatchNorm1d(3))).toEqual([{ ...row, kept: names }]);
    const state = await model.stateDict();
    expect([...state.get("1.running_mean")!.values]).toEqual([1, 2, 3]);
    expect([...state.get("1.num_batches_tracked")!.values].map(Number)).toEqual([7]);
    expect(
      replaceModules(model, isNorm, () => new BatchNorm1d(3, { trackRunningStats: false }))[0],
    ).toMatchObject({ kept: ["weight", "bias"], dropped: names.slice(2) });
    model.dispose();
    expect(memory().numTensors).toBe(before);
  });

  it("draws first values by the place in the model", async () => {
    const build = () => new Sequential(new Linear(2, 3), new Linear(3, 3), new Linear(3, 3));
    const [plain, model] = [build(), build()];
    const rows = replaceModules<Linear>(
      model,
      (module, path) => module instanceof Linear && path !== "0",
      ({ inFeatures, outFeatures }, path) => new Linear(inFeatures, path === "1" ? outFeatures : 4),
    );
    expect(rows.map(({ kept, fresh }) => [kept, fresh])).toEqual([
      [["weight", "bias"], []],
      [[], ["weight", "bias"]],
    ]);
    const [expected, actual] = [await plain.stateDict(), await model.stateDict()];
    expect(actual.get("1.weight")).toEqual(expected.get("1.weight"));
    expect(expected.get("1.weight")!.values).not.toEqual(expected.get("2.weight")!.values);
    expect([...actual.get("2.weight")!.values].slice(0, 9)).not.toEqual([...actual.get("1.weight")!.values]);
    plain.dispose();
    model.dispose();
  });

  it("refuses the model itself, and a factory that gives nothing", () => {
    const model = new Sequential(new ReLU());
    expect(() =>
      replaceModules(
        model,
        () => true,
        (old) => old,
      ),
    ).toThrow(/the model itself/);
    expect(() =>
      replaceModules(
        model,
        (module) => module instanceof ReLU,
        () => 3 as never,
      ),
    ).toThrow(InputError);
    expect(() => replaceModules(model, 3 as never, (old) => old)).toThrow(InputError);
  });
});
