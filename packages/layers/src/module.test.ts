import {
  add,
  detectAnomaly,
  full,
  grad,
  InputError,
  isAiError,
  keep,
  manualSeed,
  memory,
  randomUniform,
  ShapeError,
  sum,
  type Tensor,
  tensor,
  tidy,
  WeightsError,
  zeros,
} from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import { Embedding } from "./embedding.js";
import { Linear } from "./linear.js";
import { Module } from "./module.js";
import { type Initializer, Parameter, StateCounter, StateTensor } from "./parameter.js";
import type { StateEntry } from "./state-dict.js";

const uniform: Initializer = (shape, generator) => randomUniform(shape, { generator });

class Shift extends Module<[x: Tensor], Tensor> {
  static override readonly checkpointNames = { amount: "shift", running: "running_mean", calls: "num_calls" };
  readonly amount = new Parameter([2, 3], { initializer: uniform, checkpointPermutation: [1, 0] });
  readonly running = new StateTensor([3], { initializer: (shape) => zeros(shape) });
  readonly calls = new StateCounter();

  protected forward(x: Tensor): Tensor {
    add(x, 1); // freed by call
    return this.training ? add(x, this.amount.value) : x;
  }
}

class Pair extends Module<[x: Tensor], Tensor> {
  static override readonly checkpointNames = { parts: "" };
  readonly parts = [new Shift(), new Shift()];
  readonly shared = this.parts[0];
  readonly extra = { scale: new Parameter([1], { initializer: uniform }) };

  protected forward(x: Tensor): Tensor {
    return this.parts.reduce((result, part) => part.call(result), x);
  }
}

describeEachDevice("Module", () => {
  it("finds submodules, parameters and state in fields, arrays and objects", () => {
    const model = new Pair();
    expect(model.namedModules().map(([path]) => path)).toEqual(["", "0", "1"]);
    expect(model.namedParameters().map(([path]) => path)).toEqual(["0.shift", "1.shift", "extra.scale"]);
    expect(model.ownParameters()).toEqual([model.extra.scale]);
    model.dispose();
  });

  it("refuses layers where no walk finds them, and shows its tree", () => {
    const model = new Pair();
    expect(String(model)).toBe("Pair [1]\n  0: Shift [2, 3]\n  1: Shift [2, 3]\n  shared: Shift [2, 3]");
    class Index extends Module {
      readonly layers = { first: new Linear(2, 2) };
      readonly byName = new Map<string, Linear>([["first", this.layers.first]]); // an index of what is found elsewhere
      protected forward = (x: Tensor): Tensor => this.layers.first.call(x);
    }
    const index = new Index();
    expect(index.parameters()).toHaveLength(2);
    index.dispose();
    expect(() => new Parameter(zeros([2]) as never, { initializer: uniform })).toThrow(
      /got a tensor; pass tensor.shape/,
    );
    const linear = new Linear(2, 2);
    const state = new Map<string, StateEntry>(
      ["weight", "bias"].map((name) => [
        `module.${name}`,
        { dtype: "float32", shape: [], values: new Float32Array(1) },
      ]),
    );
    expect(() => linear.loadStateDict(state)).toThrow(/the names fit without "module\."/);
    expect(() => linear.loadStateDict(linear.stateDict() as never)).toThrow(/got a promise; await it/);
    expect(() => linear.loadStateDict({} as never)).toThrow(/got an object; pass new Map\(Object.entries/);
    const weights = new Map(linear.namedParameters().map(([name, { value }]) => [name, value]));
    expect(() => linear.loadStateDict(weights as never)).toThrow(
      /weight \(.* got a tensor: read its values first\), bias[^;]*$/,
    );
    expect(() => new Linear("2" as never, 2)).toThrow(/got "2"/);
    const row = zeros([1, 2]);
    linear.weight.value.dispose();
    expect(() => linear.call(row)).toThrow(/^Linear: expected a live tensor for weight/);
    row.dispose();
    class Lost extends Module {
      readonly layers: unknown;
      constructor(layers: unknown) {
        super();
        this.layers = layers;
      }
      protected forward = (x: Tensor): Tensor => x;
    }
    expect(() => new Lost(new Map([["a", new Linear(2, 2)]])).parameters()).toThrow(
      /^Lost: expected .* got Linear in a Map at layers; use an object/,
    );
    const hidden = Object.assign(new Linear(2, 2), { train: new Linear(2, 2) });
    expect(() => new Lost([hidden]).parameters()).toThrow(/no methods of a module, got layers\.0\.train/);
    const x = zeros([1]);
    expect(() => new Lost([new Lost(new Set([new Linear(2, 2)]))]).call(x)).toThrow(
      /in a Set at layers\.0\.layers/,
    );
    x.dispose();
    model.dispose();
  });

  it("draws values from seed and path alone, at first use", async () => {
    manualSeed(1);
    const first = new Pair();
    expect(first.parts[1].amount.hasValue).toBe(false);
    expect(() => first.parts[1].amount.value).toThrow(/got none yet; call initialize/);
    const x = zeros([2, 3]);
    const gradients = grad(() => sum(first.call(x)), [x]); // values drawn here are constants and survive
    const second = new Pair();
    second.parameters();
    await expect(second.parts[1].amount.value).toBeCloseToTensor(first.parts[1].amount.value, {
      relative: 0,
    });
    second.initialize({ seed: 2 });
    await expect(
      expect(second.parts[1].amount.value).toBeCloseToTensor(first.parts[1].amount.value),
    ).rejects.toThrow();
    for (const owner of [first, second, x, ...gradients]) owner.dispose();
  });

  it("gives the caller its result and frees the rest", async () => {
    const model = new Pair();
    await expectNoLeak(() => {
      const x = zeros([2, 3]);
      model.train().call(x).dispose();
      const same = model.eval().call(x);
      same.dispose();
      add(x, 1).dispose(); // x is alive although the module returned it
      x.dispose();
    });
    const before = memory();
    model.dispose();
    expect(before.numTensors - memory().numTensors).toBe(5);
    model.dispose();
    const x = zeros([2, 3]);
    expect(() => model.train().call(x)).toThrow(/expected live values, got disposed ones/);
    x.dispose();
  });

  it("names the layer in errors and keeps the cause", () => {
    const model = new Pair();
    const wrong = zeros([5]);
    try {
      model.call(wrong);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(ShapeError);
      expect((error as Error).message).toMatch(/^Pair\.0: add: expected/);
      expect(((error as Error).cause as Error).message).toMatch(/^add: expected/);
    }
    wrong.dispose();
    model.dispose();
  });

  it("wraps plain errors and leaves the user's own alone", () => {
    class Stop extends Error {}
    const model = new Shift();
    const x = zeros([2, 3]);
    const failWith = (error: Error): unknown => {
      const remove = model.registerForwardPreHook(() => {
        throw error;
      });
      try {
        model.call(x);
      } catch (caught) {
        return caught;
      } finally {
        remove();
      }
      return undefined;
    };
    const plain = failWith(new TypeError("no such thing"));
    expect(isAiError(plain)).toBe(true);
    expect((plain as Error).message).toBe("Shift: no such thing");
    const own = new Stop("enough");
    expect(failWith(own)).toBe(own);
    x.dispose();
    model.dispose();
  });

  it("runs hooks, which may replace inputs and output, until they are removed", async () => {
    const model = new Pair().eval();
    const x = zeros([2, 3]);
    const remove = [
      model.parts[0].registerForwardPreHook((_, [input]) => [add(input, 1)]),
      model.parts[1].registerForwardHook((_module, _inputs, output) => add(output, 10)),
    ];
    const hooked = model.call(x);
    for (const undo of remove) undo();
    const plain = model.call(x);
    await expect(hooked).toBeCloseToTensor({ shape: [2, 3], dtype: "float32", values: Array(6).fill(11) });
    await expect(plain).toBeCloseToTensor({ shape: [2, 3], dtype: "float32", values: Array(6).fill(0) });
    for (const owner of [hooked, plain, x, model]) owner.dispose();
  });

  it("takes its state out and in, in the checkpoint's layout", async () => {
    const model = new Shift();
    model.amount.setValue(
      tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]),
    );
    model.calls.value = 7;
    const state = await model.stateDict();
    expect([...state.keys()]).toEqual(["shift", "running_mean", "num_calls"]);
    expect(state.get("shift")).toEqual({
      dtype: "float32",
      shape: [3, 2],
      values: Float32Array.of(1, 4, 2, 5, 3, 6),
    });
    expect(state.get("num_calls")).toEqual({ dtype: "int64", shape: [], values: BigInt64Array.of(7n) });
    const other = new Shift();
    expect(other.loadStateDict(state)).toEqual({ missing: [], unused: [] });
    await expect(other.amount.value).toBeCloseToTensor(model.amount.value, { relative: 0 });
    expect(other.calls.value).toBe(7);
    model.dispose();
    other.dispose();
  });

  it("lists every name that does not fit in one error and changes nothing", async () => {
    const model = new Shift();
    const state = new Map<string, StateEntry>([
      ["shift", { dtype: "float32", shape: [2, 3], values: new Float32Array(6) }],
      ["running_mean", { dtype: "float32", shape: [3], values: Float32Array.of(1, 2, 3) }],
      ["running_var", { dtype: "float32", shape: [3], values: new Float32Array(3) }],
    ]);
    const version = model.running.version;
    expect(() => model.loadStateDict(state)).toThrow(WeightsError);
    expect(() => model.loadStateDict(state)).toThrow(
      /unused: running_var; .*shift \(expected shape \[3, 2\], got \[2, 3\]\)/,
    );
    expect(model.running.version).toBe(version);
    expect(() => model.loadStateDict(state, { strict: false })).toThrow(/mis-shaped/);
    state.delete("shift");
    expect(model.loadStateDict(state, { strict: false })).toEqual({
      missing: ["shift"],
      unused: ["running_var"],
    });
    model.dispose();
  });

  it("takes a checkpoint from before PyTorch had counters, which lacks them all", () => {
    const model = new Shift();
    const state = new Map<string, StateEntry>([
      ["shift", { dtype: "float32", shape: [3, 2], values: new Float32Array(6) }],
      ["running_mean", { dtype: "float32", shape: [3], values: Float32Array.of(1, 2, 3) }],
    ]);
    model.calls.value = 4;
    expect(model.loadStateDict(state)).toEqual({ missing: [], unused: [] });
    expect(model.calls.value).toBe(4);
    model.dispose();
  });

  it("raises a parameter's version with each new value and refuses a wrong one", () => {
    const { amount } = new Shift();
    amount.setValue(zeros([2, 3]));
    const { version } = amount;
    amount.setValue(zeros([2, 3]));
    expect(amount.version).toBeGreaterThan(version);
    const wrong = zeros([3, 2]);
    const integers = zeros([2, 3], "int32");
    expect(() => amount.setValue(wrong)).toThrow(ShapeError);
    expect(() => amount.setValue(integers)).toThrow(InputError);
    for (const owner of [wrong, integers, amount]) owner.dispose();
  });

  it("summarizes layers, shapes and parameters without changing the mode", () => {
    const model = new Pair();
    model.parts[1].requiresGrad(false);
    const summary = model.summary([2, 3]);
    expect(summary.rows.map(({ path, layer, parameters }) => [path, layer, parameters])).toEqual([
      ["", "Pair", 1],
      ["0", "Shift", 6],
      ["1", "Shift", 6],
    ]);
    expect(summary.rows[1].outputShapes).toEqual([[2, 3]]);
    expect([summary.parameters, summary.trainableParameters]).toEqual([13, 7]);
    expect(String(summary)).toMatch(/0: Shift +\[2, 3\] +6/);
    expect(model.training && model.parts[0].training).toBe(true);
    model.dispose();
  });

  it("shares a parameter: one to train, two names in the checkpoint, one sum of gradients", async () => {
    class Tied extends Module<[ids: Tensor], Tensor> {
      readonly embedding = new Embedding(2, 1);
      readonly output = new Linear(1, 2, { bias: false });
      constructor() {
        super();
        this.output.weight = this.embedding.weight;
      }
      protected forward(ids: Tensor): Tensor {
        return this.output.call(this.embedding.call(ids));
      }
    }
    const model = new Tied();
    expect(model.namedParameters().map(([path]) => path)).toEqual(["embedding.weight"]);
    expect([...(await model.stateDict()).keys()]).toEqual(["embedding.weight", "output.weight"]);
    const { weight } = model.embedding;
    weight.setValue(tensor([[2], [3]]));
    const ids = tensor(Int32Array.of(1));
    const [gradient] = grad(() => sum(model.call(ids)), [weight.value]);
    // 3·(2 + 3): each weight counts as output, row 1 as embedding too
    await expect(gradient).toBeCloseToTensor({ shape: [2, 1], dtype: "float32", values: [3, 3 + 5] });
    for (const owner of [gradient, ids, model]) owner.dispose();
  });

  it("freezes, switches and visits every module", () => {
    const model = new Pair();
    model.requiresGrad(false).eval();
    expect(model.parameters().some(({ requiresGrad }) => requiresGrad)).toBe(false);
    expect(model.namedModules().some(([, { training }]) => training)).toBe(false);
    expect(model.train().parts.every(({ training }) => training)).toBe(true);
    const visited: unknown[] = [];
    model.apply((module) => visited.push(module));
    expect(visited).toEqual([model.parts[1], model.parts[0], model]);
    model.dispose();
  });

  it("tells detectAnomaly its path", async () => {
    const model = new Pair();
    model.parameters();
    model.parts[1].amount.setValue(full([2, 3], Number.NaN));
    const x = zeros([2, 3]);
    const run = detectAnomaly(() => model.call(x));
    await expect(run).rejects.toThrow(/Add.*Pair\.1/);
    x.dispose();
    model.dispose();
  });

  it("keeps what a hook keeps", () => {
    const model = new Shift();
    const kept: Tensor[] = [];
    model.registerForwardHook((_module, _inputs, output) => {
      kept.push(keep(add(output, 1)));
      return undefined;
    });
    const x = zeros([2, 3]);
    tidy(() => {
      model.call(x);
    });
    expect(kept[0].isDisposed).toBe(false);
    for (const owner of [...kept, x, model]) owner.dispose();
  });
});

describe("parameterGroups", () => {
  it("refuses a rule that matches nothing", async () => {
    const { useDevice } = await import("@ai/tensor");
    await useDevice("cpu").catch(() => useDevice("wasm"));
    const model = new Pair();
    const rest = { match: (path: string) => path.startsWith("0."), options: { weightDecay: 0 } };
    const groups = model.parameterGroups([rest]);
    expect(groups.map(({ names, options }) => [names, options])).toEqual([
      [["0.shift"], { weightDecay: 0 }],
      [["1.shift", "extra.scale"], {}],
    ]);
    expect(() => model.parameterGroups([{ match: (path) => path === "2.shift", options: {} }])).toThrow(
      InputError,
    );
    model.dispose();
  });
});
