import { expect, it } from "vitest";
import {
  add,
  type ConvOptions,
  conv1d,
  conv2d,
  conv3d,
  dispose,
  gelu,
  grad,
  hardSwish,
  leakyRelu,
  read,
  relu,
  relu6,
  sigmoid,
  silu,
  square,
  sum,
  type Tensor,
  tanh,
  tensor,
  tidy,
  zeros,
} from "../index.js";
import { describeEachDevice, expectNoLeak } from "../testing/index.js";
import { randomInput, randomStream } from "../testing/wasm-kernels.js";

const ACTIVATIONS: Record<NonNullable<ConvOptions["activation"]>, (x: Tensor) => Tensor> = {
  relu,
  relu6,
  gelu: (x) => gelu(x),
  "gelu-tanh": (x) => gelu(x, { approximate: "tanh" }),
  silu,
  "hard-swish": hardSwish,
  "leaky-relu": (x) => leakyRelu(x),
  sigmoid,
  tanh,
};

const random = randomStream(8);
const make = (shape: number[]): Tensor => {
  const { values } = randomInput(random, shape);
  return tensor(values, shape);
};

/** Whole, in groups, one filter a channel and several, and a filter of one cell. */
const CASES: [x: number[], filter: number[], options: ConvOptions][] = [
  [[2, 7, 9, 6], [3, 3, 6, 11], { padding: 1, stride: 2 }],
  [[2, 7, 9, 6], [3, 2, 2, 9], { groups: 3, dilation: [1, 2] }],
  [[1, 7, 9, 6], [3, 3, 1, 6], { groups: 6, padding: 1 }],
  [[1, 7, 9, 3], [3, 3, 1, 6], { groups: 3, padding: 1, stride: 2 }],
  [[2, 3, 5, 8], [1, 1, 4, 10], { groups: 2 }],
];

describeEachDevice("convolution with an activation", () => {
  it("equals convolution, bias and activation apart, with and without a gradient", async () => {
    for (const [activation, apply] of Object.entries(ACTIVATIONS))
      for (const [position, [xShape, filterShape, options]] of CASES.entries()) {
        if (position > 0 && !["relu6", "gelu"].includes(activation)) continue;
        const [x, filter, bias] = [make(xShape), make(filterShape), make([filterShape[3]])];
        const fused = { ...options, bias, activation: activation as ConvOptions["activation"] };
        const apart = (a: Tensor, b: Tensor, c: Tensor) => tidy(() => apply(add(conv2d(a, b, options), c)));
        const [expected, actual] = [apart(x, filter, bias), conv2d(x, filter, fused)];
        await expect(actual).toBeCloseToTensor(expected);
        const gradients = grad((a, b, c) => sum(square(apart(a, b, c))), [x, filter, bias]);
        const fusedGradients = grad(
          (a, b, c) => sum(square(conv2d(a, b, { ...fused, bias: c }))),
          [x, filter, bias],
        );
        for (const [index, gradient] of gradients.entries())
          await expect(fusedGradients[index]).toBeCloseToTensor(gradient);
        dispose([x, filter, bias, expected, actual, gradients, fusedGradients]);
      }
  });

  it("has second derivatives, with a ReLU and with a bias alone", async () => {
    const [x, filter, bias] = [make([1, 4, 5, 2]), make([2, 3, 2, 3]), make([3])];
    for (const activation of ["relu", undefined] as const) {
      const fused = (a: Tensor, b: Tensor, c: Tensor) => conv2d(a, b, { bias: c, padding: 1, activation });
      const apart = (a: Tensor, b: Tensor, c: Tensor) => {
        const y = add(conv2d(a, b, { padding: 1 }), c);
        return activation === undefined ? y : relu(y);
      };
      const [actual, expected] = [fused, apart].map((apply) =>
        grad(
          (a, b, c) => sum(square(grad((inner) => sum(square(apply(inner, b, c))), [a])[0])),
          [x, filter, bias],
        ),
      );
      for (const [index, gradient] of expected.entries())
        await expect(actual[index]).toBeCloseToTensor(gradient);
      dispose([actual, expected]);
    }
    dispose([x, filter, bias]);
  });

  it("works along one and three axes", async () => {
    const [line, lineFilter] = [make([2, 9, 4]), make([3, 4, 5])];
    const [volume, volumeFilter] = [make([1, 4, 5, 6, 2]), make([2, 2, 3, 2, 3])];
    for (const [expected, actual] of [
      [tidy(() => relu(conv1d(line, lineFilter))), conv1d(line, lineFilter, { activation: "relu" })],
      [tidy(() => relu(conv3d(volume, volumeFilter))), conv3d(volume, volumeFilter, { activation: "relu" })],
    ]) {
      await expect(actual).toBeCloseToTensor(expected);
      dispose([expected, actual]);
    }
    dispose([line, lineFilter, volume, volumeFilter]);
  });

  it("leaks nothing and refuses other names", async () => {
    const [x, filter, bias] = [make([1, 5, 5, 4]), make([3, 3, 2, 4]), make([4])];
    await expectNoLeak(() => dispose(conv2d(x, filter, { groups: 2, bias, activation: "silu" })));
    expect(() => conv2d(x, filter, { groups: 2, activation: "softmax" as never })).toThrow(
      /conv2d: expected activation as one of relu, .*, got softmax/,
    );
    const nothing = zeros([0, 5, 5, 4]);
    const empty = conv2d(nothing, filter, { groups: 2, bias, activation: "relu" });
    expect(empty.shape).toEqual([0, 3, 3, 4]);
    expect(await read(empty)).toHaveLength(0);
    dispose([x, filter, bias, nothing, empty]);
  });
});
