import { expect, it } from "vitest";
import * as ai from "../index.js";
import { isAiError, memory, type Tensor, tensor, zeros } from "../index.js";
import { describeEachDevice } from "../testing/index.js";

/** Calls that only untyped code can write; each must say what is wrong, not break inside or give another result. */
const WRONG: Record<string, (x: Tensor) => unknown> = {
  "one number as a shape": () => ai.zeros(3 as never),
  "one number as a shape of random numbers": () => ai.randomNormal(3 as never),
  "a dtype of another library": () => ai.zeros([2], "int64" as never),
  "a dtype of another library for values": () => ai.tensor([1, 2], [2], "float16" as never),
  "a range that leads away": () => ai.arange(0, 4, -1),
  "an axis without a name": (x) => ai.sum(x, 0 as never),
  "axes without a name": (x) => ai.mean(x, [0] as never),
  "axis for axes": (x) => ai.sum(x, { axis: 0 } as never),
  "axes for axis": (x) => ai.argMax(x, { axes: 0 } as never),
  "null for axes": (x) => ai.max(x, { axes: null as never }),
  "a misspelled correction": (x) => ai.variance(x, { corection: 0 } as never),
  "dim for axis": (x) => ai.softmax(x, { dim: 0 } as never),
  "an axis of a concatenation without a name": (x) => ai.concat([x, x], 1 as never),
  "an axis of a split without a name": (x) => ai.split(x, 2, 1 as never),
  "no sizes of a split": (x) => ai.split(x, undefined as never),
  "an axis of a running sum without a name": (x) => ai.cumsum(x, 0 as never),
  "one number to reshape to": (x) => ai.reshape(x, 4 as never),
  "one number to broadcast to": (x) => ai.broadcastTo(x, 4 as never),
  "a negative size to broadcast to": (x) => ai.broadcastTo(ai.slice(x, [0, 0], [1, 2]), [-1, 2]),
  "one number as a permutation": (x) => ai.transpose(x, 0 as never),
  "one number of repeats": (x) => ai.tile(x, 2 as never),
  "no tensor to slice": () => ai.slice(undefined as never, [0], [1]),
  "one number to slice from": (x) => ai.slice(x, 0 as never, [1, 1]),
  "no tensor to pad": () => ai.pad(null as never, [[0, 0]]),
  "one number as paddings": (x) => ai.pad(x, 1 as never),
  "no tensor to gather from": (x) => ai.gather(undefined as never, x),
  "no tensor to sort": () => ai.sort(undefined as never),
  "a misspelled transposition": (x) => ai.matMul(x, x, { transposedB: true } as never),
  "text for a switch": (x) => ai.sum(x, { keepDims: "false" as never }),
  "a number for a switch": (x) => ai.topK(x, 1, { largest: 0 as never }),
  "an axis of topK without a name": (x) => ai.topK(x, 1, 0 as never),
  "order for descending": (x) => ai.argsort(x, { order: "descending" } as never),
  "a fill for a value": (x) =>
    ai.pad(
      x,
      [
        [0, 0],
        [1, 1],
      ],
      { fill: 1 } as never,
    ),
  "std for standardDeviation": () => ai.randomNormal([2], { std: 0.1 } as never),
  "a seed for a generator": () => ai.randomUniform([2], { seed: 1 } as never),
  "a gradient with another option": (x) =>
    ai.valueAndGrad((y) => ai.sum(y), [x], { createGraph: true } as never),
  "strides for stride": (x) => ai.conv2d(x4(x), filter(x), { strides: 2 } as never),
  "a number as a bias": (x) => ai.conv2d(x4(x), filter(x), { bias: 1 as never }),
  "no kernelSize": (x) => ai.maxPool2d(x4(x), { size: 2 } as never),
  "a dilation of means": (x) => ai.avgPool2d(x4(x), { kernelSize: 2, dilation: 2 } as never),
  "no outputSize": (x) => ai.adaptiveAvgPool2d(x4(x), {} as never),
  "no statistics": (x) => ai.batchNorm(x, { mean: 0 as never, variance: 1 as never }),
  "no equation": (x) => ai.einsum(x as never, x),
  "no tensor to normalise": () => ai.layerNorm(undefined as never),
  "a string to activate": () => ai.gelu("x" as never),
  "no logits": (x) => ai.crossEntropy(undefined as never, x),
  "a number as class weights": (x) => ai.crossEntropy(x, x, { weight: 1 as never }),
  "no function": () => ai.tidy(3 as never),
};

/** Functions that take options, with one that none of them knows. */
const WITH_OPTIONS: Record<string, (x: Tensor, options: never) => unknown> = {
  squeeze: (x, options) => ai.squeeze(x, options),
  flatten: (x, options) => ai.flatten(x, options),
  flip: (x, options) => ai.flip(x, options),
  roll: (x, options) => ai.roll(x, options),
  clip: (x, options) => ai.clip(x, options),
  elu: (x, options) => ai.elu(x, options),
  leakyRelu: (x, options) => ai.leakyRelu(x, options),
  softplus: (x, options) => ai.softplus(x, options),
  gelu: (x, options) => ai.gelu(x, options),
  interpolate: (x, options) => ai.interpolate(x4(x), options),
  batchNorm: (x, options) => ai.batchNorm(x, options),
  batchNormTraining: (x, options) => ai.batchNormTraining(x, options),
  groupNorm: (x, options) => ai.groupNorm(x4(x), options),
  layerNorm: (x, options) => ai.layerNorm(x, options),
  rmsNorm: (x, options) => ai.rmsNorm(x, options),
  narrow: (x, options) => ai.narrow(x, options),
  stridedSlice: (x, options) => ai.stridedSlice(x, options),
  gather: (x, options) => ai.gather(x, whole(x), options),
  indexAdd: (x, options) => ai.indexAdd(x, whole(x), x, options),
  takeAlongAxis: (x, options) => ai.takeAlongAxis(x, whole(x), options),
  scatterAdd: (x, options) => ai.scatterAdd(x, whole(x), x, options),
  scatter: (x, options) => ai.scatter(x, whole(x), x, options),
  oneHot: (x, options) => ai.oneHot(whole(x), 5, options),
  sort: (x, options) => ai.sort(x, options),
  rotaryTables: (_, options) => ai.rotaryTables(options),
  rotaryEmbedding: (x, options) => ai.rotaryEmbedding(x, options),
  scaledDotProductAttention: (x, options) => ai.scaledDotProductAttention(x4(x), x4(x), x4(x), options),
  gruSequence: (x, options) => ai.gruSequence(x, x, options),
  lstmSequence: (x, options) => ai.lstmSequence(x, x, options),
  crossEntropy: (x, options) => ai.crossEntropy(x, x, options),
  permutation: (_, options) => ai.permutation(3, options),
  randomInteger: (_, options) => ai.randomInteger([2], options),
  bernoulli: (_, options) => ai.bernoulli([2], options),
};

/** `[2, 2]` as indices. */
function whole(x: Tensor): Tensor {
  return ai.zerosLike(ai.cast(x, "int32"));
}

/** `[2, 2]` as an image of one channel. */
function x4(x: Tensor): Tensor {
  return ai.reshape(x, [1, 2, 2, 1]);
}

/** `[2, 2]` as a filter of one channel. */
function filter(x: Tensor): Tensor {
  return ai.reshape(x, [2, 2, 1, 1]);
}

describeEachDevice("wrong arguments", () => {
  it.each(Object.entries(WRONG))("are named: %s", (_, call) => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    const before = memory().numTensors;
    let problem: unknown;
    try {
      ai.tidy(() => {
        call(x);
      });
    } catch (error) {
      problem = error;
    }
    expect(isAiError(problem), String(problem)).toBe(true);
    expect(String(problem)).toMatch(/\w+: expected .+, got /);
    expect(memory().numTensors).toBe(before);
    x.dispose();
  });

  it("are named: an option that the function does not have", () => {
    const x = zeros([2, 2]);
    const before = memory().numTensors;
    for (const [name, call] of Object.entries(WITH_OPTIONS))
      expect(() => ai.tidy(() => void call(x, { bogus: 1 } as never)), name).toThrow(
        new RegExp(`^${name}: expected options \\{ .* \\}, got one named bogus; check the spelling`),
      );
    expect(() => ai.sort(x, { descending: "false" as never })).toThrow(/sort: expected descending true or/);
    expect(memory().numTensors).toBe(before);
    x.dispose();
  });

  it("reject values that cannot be read", async () => {
    await expect(ai.useDevice("cpu", { thread: 2 } as never)).rejects.toThrow(/one named thread/);
    await expect(ai.writeSafetensors({}, { meta: {} } as never)).rejects.toThrow(/one named meta/);
    await expect(ai.readSafetensors(new Uint8Array(), { names: [] } as never)).rejects.toThrow(
      /one named names/,
    );
    await expect(ai.gradcheck(ai.exp, [], { eps: 1 } as never)).rejects.toThrow(/one named eps/);
    const parameter = { value: undefined, requiresGrad: true } as never;
    expect(() => ai.grad((y) => ai.sum(y), [parameter])).toThrow(
      /^grad: .* a parameter at position 0; pass parameter.value/,
    );
    await expect(ai.read(undefined as never)).rejects.toSatisfy(isAiError);
    await expect(ai.toArray(null as never)).rejects.toSatisfy(isAiError);
    await expect(ai.item(3 as never)).rejects.toSatisfy(isAiError);
  });

  it("leave nothing in memory when a checked function throws", async () => {
    const x = zeros([2]);
    const before = memory().numTensors;
    let calls = 0;
    const failing = (a: Tensor): Tensor => {
      if (++calls > 2) throw new Error("third call");
      return ai.exp(a);
    };
    await expect(ai.gradcheck(failing, [x])).rejects.toThrow("third call");
    expect(memory().numTensors).toBe(before);
    x.dispose();
  });
});
