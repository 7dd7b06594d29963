import { InputError } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { Linear, ModuleDict, ModuleList, ReLU } from "./index.js";

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

  it("refuse what is no module, and keys that checkpoints cannot hold", () => {
    expect(() => new ModuleList([3 as never])).toThrow(InputError);
    expect(() => new ModuleDict({ a: {} as never })).toThrow(InputError);
    expect(() => new ModuleDict({ "a.b": new ReLU() })).toThrow(/without dots/);
  });
});
