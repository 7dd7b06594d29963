import { InputError } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import {
  Bilinear,
  ConvTranspose2d,
  Linear,
  LSTM,
  ModuleDict,
  ModuleList,
  ReLU,
  Sequential,
} from "./index.js";

describeEachDevice("containers of modules", () => {
  it("name their parts as PyTorch's and are iterated, not called", () => {
    const list = new ModuleList([new Linear(2, 3), new ReLU(), new Linear(3, 1, { bias: false })]);
    expect(list.namedParameters().map(([path]) => path)).toEqual(["0.weight", "0.bias", "2.weight"]);
    expect(list.modules.length).toBe(3);
    expect(() => list.call()).toThrow(/use Sequential/);
    const named = new ModuleDict({ up: new Linear(2, 3), down: new Linear(3, 2, { bias: false }) });
    expect(named.namedParameters().map(([path]) => path)).toEqual(["up.weight", "up.bias", "down.weight"]);
    expect(() => named.call()).toThrow(/ModuleDict/);
    list.dispose();
    named.dispose();
  });

  it("take layers that also take options, and by their types none that need or give more than a tensor", () => {
    const decoder = new Sequential(new ConvTranspose2d(2, 1, 2, { stride: 2 }), new ReLU());
    expect(decoder.summary([1, 2, 2, 2]).rows[0].outputShapes).toEqual([[1, 4, 4, 1]]);
    // @ts-expect-error an LSTM gives its state too
    const lstm = new Sequential(new LSTM(2, 2));
    // @ts-expect-error a bilinear layer takes two tensors
    const bilinear = new Sequential(new Bilinear(2, 2, 2));
    for (const model of [decoder, lstm, bilinear]) model.dispose();
  });

  it("refuse what is no module, and keys that checkpoints cannot hold", () => {
    expect(() => new ModuleList([3 as never])).toThrow(InputError);
    expect(() => new ModuleDict({ a: {} as never })).toThrow(InputError);
    expect(() => new ModuleDict({ "a.b": new ReLU() })).toThrow(/without dots/);
  });
});
