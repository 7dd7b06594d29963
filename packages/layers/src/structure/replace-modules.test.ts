import { dispose, InputError, memory, zeros } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import {
  type AnyModule,
  Conv2d,
  LayerNorm,
  Linear,
  LinearAttention,
  Module,
  ReLU,
  RMSNorm,
  replaceModules,
  Sequential,
  SiLU,
  TransformerEncoder,
} from "../index.js";

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
    expect(rows).toEqual([{ path: "1", from: "LayerNorm", to: "RMSNorm", kept: ["weight"], fresh: [] }]);
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
      { path: "shared", from: "Conv2d", to: "Conv2d", kept: ["bias"], fresh: ["weight"] },
    ]);
    expect(net.parts[0]).toBe(net.shared);
    expect(net.shared.groups).toBe(4);
    net.dispose();
  });

  it("puts linear attention into a transformer", () => {
    class SelfAttention extends Module<Parameters<typeof Module.prototype.call>, unknown> {
      readonly inner = new LinearAttention(8, 2);
      protected forward(...[x]: unknown[]): unknown {
        return { output: this.inner.call(x as never) };
      }
    }
    const encoder = new TransformerEncoder(8, 2, { numLayers: 2, dimFeedforward: 6 });
    const rows = replaceModules(
      encoder,
      (_, path) => path.endsWith("self_attn"),
      () => new SelfAttention(),
    );
    expect(rows.map(({ path }) => path)).toEqual(["layers.0.self_attn", "layers.1.self_attn"]);
    const x = zeros([1, 3, 8]);
    const y = encoder.eval().call(x);
    expect(y.shape).toEqual([1, 3, 8]);
    dispose([x, y]);
    encoder.dispose();
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
