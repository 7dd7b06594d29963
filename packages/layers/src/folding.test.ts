import {
  dispose,
  memory,
  mul,
  read,
  relu,
  ShapeError,
  sum,
  type Tensor,
  tensor,
  tidy,
  valueAndGrad,
} from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import {
  BatchNorm1d,
  BatchNorm2d,
  BatchNorm3d,
  Conv2d,
  convNormActivation,
  ReLU,
  Sequential,
} from "./index.js";

/** Numbers without a pattern that a swapped axis would keep. */
const numbers = (length: number, seed: number): Float32Array =>
  Float32Array.from({ length }, (_, index) => Math.sin(seed + 1.7 * index + 0.3 * index ** 2));

/** A convolution and a batch norm that has seen something, in evaluation. */
function layers(bias: boolean) {
  const convolution = new Conv2d(4, 6, 3, { stride: 2, padding: 1, groups: 2, bias }).eval();
  const norm = new BatchNorm2d(6, { epsilon: 1e-3 }).eval();
  convolution.parameters();
  norm.parameters();
  norm.weight!.setValue(tensor(numbers(6, 1), [6]));
  norm.bias!.setValue(tensor(numbers(6, 2), [6]));
  norm.runningMean!.setValue(tensor(numbers(6, 3), [6]));
  norm.runningVariance!.setValue(
    tensor(
      numbers(6, 4).map((value) => 1.1 + value),
      [6],
    ),
  );
  return { convolution, norm };
}

const input = (): Tensor => tensor(numbers(2 * 5 * 6 * 4, 5), [2, 5, 6, 4]);

/** Values of a tensor, which is freed. */
async function take(x: Tensor): Promise<number[]> {
  const values = Array.from(await read(x));
  x.dispose();
  return values;
}

/** One layer after the other; a hook keeps them from being folded. */
async function layerByLayer(x: Tensor, { convolution, norm }: ReturnType<typeof layers>): Promise<number[]> {
  const convolved = convolution.call(x);
  const normalized = norm.call(convolved);
  const activated = relu(normalized);
  dispose([convolved, normalized]);
  return take(activated);
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  for (const [index, value] of actual.entries()) expect(value).toBeCloseTo(expected[index], 5);
}

describeEachDevice("a normalization in the convolution before it", () => {
  it.each([true, false])("gives what the layers give, with bias %s", async (bias) => {
    const before = memory().numTensors;
    const parts = layers(bias);
    const x = input();
    const expected = await layerByLayer(x, parts);
    const held = memory().numTensors;
    expectClose(await take(convNormActivation(x, { ...parts, activation: "relu" })), expected);
    expect(memory().numTensors - held, "filter and bias are kept").toBe(2);
    expectClose(await take(convNormActivation(x, { ...parts, activation: "relu" })), expected);
    expect(memory().numTensors - held).toBe(2);
    dispose(x);
    parts.convolution.dispose();
    parts.norm.dispose();
    expect(memory().numTensors).toBe(before);
  });

  it("follows every change of the parameters", async () => {
    const parts = layers(true);
    const x = input();
    const changes: (() => void)[] = [
      () => undefined,
      () => parts.norm.weight!.setValue(tensor(numbers(6, 7), [6])),
      () => parts.norm.runningMean!.setValue(tensor(numbers(6, 8), [6])),
      () => parts.convolution.weight.setValue(tensor(numbers(3 * 3 * 2 * 6, 9), [3, 3, 2, 6])),
      () => parts.convolution.bias!.setValue(tensor(numbers(6, 10), [6])),
    ];
    const results: string[] = [];
    for (const change of changes) {
      change();
      const actual = await take(convNormActivation(x, { ...parts, activation: "relu" }));
      expectClose(actual, await layerByLayer(x, parts));
      results.push(actual.join());
    }
    expect(new Set(results).size).toBe(changes.length);
    dispose(x);
    parts.convolution.dispose();
    parts.norm.dispose();
  });
});

it("is what a sequence does, unless hooks watch", async () => {
  const { convolution, norm } = layers(false);
  const last = new ReLU();
  const model = new Sequential(convolution, norm, last).eval();
  const x = input();
  const expected = await layerByLayer(x, { convolution, norm });
  const held = memory().numTensors;
  expectClose(await take(model.call(x)), expected);
  expect(memory().numTensors - held).toBe(2);
  for (const watched of [convolution, norm, last]) {
    let calls = 0;
    const remove = watched.registerForwardHook(() => {
      calls++;
      return undefined;
    });
    expectClose(await take(model.call(x)), expected);
    expect(calls).toBe(1);
    remove();
  }
  dispose(x);
  model.dispose();
});

it("leaves training and gradients as they are", async () => {
  const { convolution, norm } = layers(true);
  const model = new Sequential(convolution, norm, new ReLU()).eval();
  const x = input();
  dispose(model.call(x));
  const parameters = model.parameters();
  const { value, grads } = valueAndGrad(
    () => sum(model.call(x)),
    parameters.map((parameter) => parameter.value),
  );
  for (const gradient of grads)
    expect(Array.from(await read(gradient)).some((entry) => entry !== 0)).toBe(true);
  const statistics = Array.from(await read(norm.runningMean!.value));
  const held = memory().numTensors;
  model.train();
  expect(memory().numTensors - held, "what was folded is freed").toBe(-2);
  dispose(model.call(x));
  expect(Array.from(await read(norm.runningMean!.value))).not.toEqual(statistics);
  dispose([x, value, ...grads]);
  model.dispose();
});

it("calls what a subclass does instead, and lets a norm that does not fit say so", async () => {
  class Doubled extends Conv2d {
    protected override forward(x: Tensor): Tensor {
      return tidy(() => mul(super.forward(x), 2));
    }
  }
  class Ignored extends BatchNorm2d {
    protected override forward(x: Tensor): Tensor {
      return mul(x, 1);
    }
  }
  class Negative extends ReLU {
    protected override forward(x: Tensor): Tensor {
      return mul(x, -1);
    }
  }
  const x = input();
  for (const parts of [
    [new Doubled(4, 6, 3), new BatchNorm2d(6), new ReLU()],
    [new Conv2d(4, 6, 3), new Ignored(6), new ReLU()],
    [new Conv2d(4, 6, 3), new BatchNorm2d(6), new Negative()],
  ]) {
    const model = new Sequential(...parts).eval();
    const expected = tidy(() => parts.reduce((result, layer) => layer.call(result), x));
    expectClose(await take(model.call(x)), await take(expected));
    model.dispose();
  }
  for (const norm of [new BatchNorm2d(1), new BatchNorm1d(6), new BatchNorm3d(6)]) {
    const model = new Sequential(new Conv2d(4, 6, 3), norm).eval();
    expect(() => model.call(x)).toThrow(ShapeError);
    model.dispose();
  }
  dispose(x);
});
