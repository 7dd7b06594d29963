import { memory, read, type Tensor, tensor, useDevice, zeros } from "@ai/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import * as layers from "./index.js";

beforeAll(() => useDevice("cpu"));

describe("layers refuse what is no tensor, by their own errors", () => {
  const built: Record<string, { call(...inputs: never[]): unknown }> = {
    Linear: new layers.Linear(3, 2),
    LayerNorm: new layers.LayerNorm(3),
    BatchNorm1d: new layers.BatchNorm1d(3),
    Conv2d: new layers.Conv2d(3, 2, 1),
    MaxPool2d: new layers.MaxPool2d(2),
    Embedding: new layers.Embedding(3, 2),
    Flatten: new layers.Flatten(),
    Dropout: new layers.Dropout(),
    LSTM: new layers.LSTM(3, 2),
    MultiheadAttention: new layers.MultiheadAttention(4, 2),
    TransformerEncoderLayer: new layers.TransformerEncoderLayer(4, 2),
  };
  it.each(Object.keys(built))("%s", (name) => {
    for (const wrong of [undefined, 3, [1, 2, 3]])
      expect(() => built[name].call(wrong as never)).toThrow(/expected a tensor as (input|ids), got /);
  });

  it("and say what the slip was", () => {
    const recurrent = new layers.Sequential(new layers.LSTM(3, 2) as never, new layers.Linear(2, 1));
    const x = zeros([1, 4, 3]);
    expect(() => recurrent.call(x)).toThrow(
      /Sequential.1: .*got an object with output; take the one you need/,
    );
    const linear = new layers.Linear(3, 2);
    expect(() => linear.call(linear.weight as never)).toThrow(/got a parameter; pass parameter.value/);
    expect(() => new layers.TransformerEncoder(4, 2, 6 as never)).toThrow(/got 6; pass { numLayers: 6 }/);
  });

  it("as a state, lengths or a mask", () => {
    const lstm = new layers.LSTM(3, 2);
    const x = zeros([2, 4, 3]);
    const half = { hidden: zeros([1, 2, 2]) } as never;
    expect(() => lstm.call(x, { state: half })).toThrow(/a tensor as each part of the state, got undefined/);
    const typed = Int32Array.of(1, 2) as never;
    expect(() => lstm.call(x, { lengths: typed })).toThrow(/a tensor as lengths, or an array of numbers/);
    const attention = new layers.MultiheadAttention(3, 1);
    expect(() => attention.call(x, x, x, { attentionMask: [[1]] as never })).toThrow(
      /a tensor as attentionMask, got an array/,
    );
  });
});

describe("layers refuse sizes that are missing", () => {
  it.each([
    ["Conv2d", () => new layers.Conv2d(3, 16, undefined as never)],
    ["MaxPool2d", () => new layers.MaxPool2d(undefined as never)],
    ["AdaptiveAvgPool2d", () => new layers.AdaptiveAvgPool2d(undefined as never)],
    ["LayerNorm", () => new layers.LayerNorm(undefined as never)],
  ])("%s", (name, build) => {
    expect(build).toThrow(new RegExp(`${name}: expected .*, got undefined`));
  });
});

it("rotary scalings that lack numbers and starts that are no positions are refused: they gave NaN", () => {
  const llama = {
    type: "llama3",
    factor: 8,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalLength: 8192,
  };
  const rotary = (scaling: object): unknown => new layers.RotaryEmbedding(4, { scaling } as never);
  expect(() => rotary(llama)).not.toThrow();
  expect(() => rotary({ type: "llama3", factor: 8 })).toThrow(/lowFrequencyFactor above 0 .*undefined/);
  expect(() => rotary({ ...llama, highFrequencyFactor: 1 })).toThrow(
    /below highFrequencyFactor, got 1 and 1/,
  );
  expect(() => rotary({ ...llama, originalLength: 0 })).toThrow(
    /integer originalLength of at least 1, got 0/,
  );
  expect(() => rotary({ ...llama, factor: "8" })).toThrow(/a factor of at least 1, got 8/);
  expect(() => rotary({ type: "linear", factor: 2, originalLength: 8192 })).toThrow(
    /one named originalLength/,
  );
  expect(() => rotary(null as never)).toThrow(/scaling\.type "linear".*"llama3", got undefined/);
  expect(() => rotary({ type: "dynamic", factor: 2 })).toThrow(/originalLength of at least 1, got undefined/);
  const yarn = { type: "yarn", factor: 2, originalLength: 64 };
  expect(() => rotary({ ...yarn, betaFast: 0.5 })).toThrow(
    /betaSlow above 0 and below betaFast, got 1 and 0.5/,
  );
  expect(() => rotary({ ...yarn, attentionFactor: 0 })).toThrow(/an attentionFactor above 0, got 0/);
  expect(() => rotary({ ...yarn, mscale: 1 })).toThrow(/one named mscale/);
  const long = { type: "longrope", factor: 2, originalLength: 64, shortFactors: [1, 1], longFactors: [1, 2] };
  expect(() => rotary(long)).not.toThrow();
  expect(() => rotary({ ...long, longFactors: [1] })).toThrow(/2 longFactors above 0, got \[1\]/);
  const [sequence, heads] = [zeros([1, 2, 4]), zeros([1, 1, 2, 4])];
  for (const start of ["a", Number.NaN, 0.5, -1] as number[]) {
    expect(() => new layers.SinusoidalPositionalEncoding(4).call(sequence, start)).toThrow(/expected start/);
    expect(() => new layers.RotaryEmbedding(4).call(heads, start)).toThrow(/expected start as an integer/);
  }
});

it("loadStateDict lists entries that are tensors instead of values", () => {
  const state = new Map([
    ["weight", zeros([2, 3])],
    ["bias", zeros([2])],
  ]);
  expect(() => new layers.Linear(3, 2).loadStateDict(state as never)).toThrow(
    /weight \(expected \{ dtype, shape, values \}.*bias \(expected/,
  );
});

it("inputs and parameters inside a structured result are tensors of the caller's own", async () => {
  class Both extends layers.Module<[x: { first: Tensor }], { same: Tensor; list: Tensor[] }> {
    readonly linear = new layers.Linear(2, 2);
    protected forward({ first }: { first: Tensor }) {
      return { same: first, list: [this.linear.weight.value, first] };
    }
  }
  const model = new Both();
  const weights = model.parameters()[0].value;
  const first = tensor([1, 2]);
  const before = memory().numTensors;
  const { same, list } = model.call({ first });
  for (const result of [same, ...list]) result.dispose();
  expect(memory().numTensors).toBe(before);
  expect([...(await read(first))]).toEqual([1, 2]);
  expect((await read(weights)).length).toBe(4);
});
