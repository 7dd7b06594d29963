import { expect, it } from "vitest";
import {
  dequantizeWeight,
  dispose,
  grad,
  linear,
  quantizedLinear,
  quantizeWeight,
  read,
  sum,
  tensor,
  useDevice,
  zeros,
} from "../../index.js";
import {
  describeEachDevice,
  describeKernel,
  expectFixtureCase,
  expectNoLeak,
  loadFixture,
  randomHostTensor,
} from "../../testing/index.js";
import { expectSameOnThreads } from "../../testing/wasm-threads.js";
import { dequantizeKernel, quantizedLinearKernel } from "./quantized-linear-rows.js";

const fixture = await loadFixture(new URL("../../../fixtures/quantized.safetensors", import.meta.url));
const names = Object.keys(fixture.metadata).filter((name) => name.startsWith("quantized/"));

describeEachDevice("quantized weights", () => {
  for (const name of names)
    it(`${name.slice("quantized/".length)} bits: words, scales, floats and products`, async () => {
      const weight = fixture.tensor(`${name}/weight`);
      const quantized = quantizeWeight(weight, JSON.parse(fixture.metadata[name]));
      await expect(quantized.values).toBeCloseToTensor(fixture.host(`${name}/values`));
      await expect(quantized.scales).toBeCloseToTensor(fixture.host(`${name}/scales`));
      if (fixture.has(`${name}/zeroPoints`))
        await expect(quantized.zeroPoints!).toBeCloseToTensor(fixture.host(`${name}/zeroPoints`));
      else expect(quantized.zeroPoints).toBeUndefined();
      const floats = dequantizeWeight(quantized);
      await expect(floats).toBeCloseToTensor(fixture.host(`${name}/dequantized`));
      await expectFixtureCase(fixture, name, ([x, bias]) => quantizedLinear(x, quantized, { bias }));
      dispose([weight, floats, quantized]);
    });

  it("takes more axes, no rows and no bias", async () => {
    const weight = quantizeWeight(fixture.tensor("quantized/8/weight"));
    const [batch, none] = [zeros([2, 3, 70]), zeros([0, 70])];
    const [y, nothing] = [quantizedLinear(batch, weight), quantizedLinear(none, weight)];
    await expect(y).toBeCloseToTensor({ shape: [2, 3, 9], dtype: "float32", values: new Float32Array(54) });
    expect(nothing.shape).toEqual([0, 9]);
    dispose([weight, batch, none, y, nothing]);
  });

  it("keeps NaN and infinities in their rows, and tiny and huge rows exact", async () => {
    const ones = tensor(new Float32Array(2 * 40).fill(1), [2, 40]);
    const weight = quantizeWeight(ones);
    const rows = [Number.NaN, Number.POSITIVE_INFINITY, 2 ** -90, 2 ** 100, 0];
    const x = tensor(
      Float32Array.from({ length: 5 * 40 }, (_, i) => (i % 40 < 4 ? rows[Math.floor(i / 40)] : 0)),
      [5, 40],
    );
    const y = quantizedLinear(x, weight);
    const values = [Number.NaN, Number.POSITIVE_INFINITY, 2 ** -88, 2 ** 102, 0].flatMap((value) => [
      value,
      value,
    ]);
    // 127 · (1 / 127) in float32
    const actual = await read(y);
    values.forEach((value, index) => {
      if (Number.isFinite(value)) expect(Math.abs(actual[index] - value)).toBeLessThanOrEqual(1e-6 * value);
      else expect(actual[index]).toBe(value);
    });
    dispose([ones, weight, x, y]);
  });

  it("rounds activations where 16 bits are enough", async () => {
    for (const name of names) {
      const { bits, symmetric } = JSON.parse(fixture.metadata[name]);
      const matrix = fixture.tensor(`${name}/weight`);
      const weight = quantizeWeight(matrix, { bits, symmetric });
      const x = fixture.tensor(`${name}/input0`);
      const [y, exact] = [quantizedLinear(x, weight, { activationBits: 16 }), quantizedLinear(x, weight)];
      // 2^-15 of the row's largest an activation
      await expect(y).toBeCloseToTensor(exact, { absoluteScale: 2e-4 });
      dispose([matrix, weight, x, y, exact]);
    }
  });

  it("leaks nothing and refuses what does not fit", async () => {
    const matrix = zeros([4, 40]);
    const weight = quantizeWeight(matrix, { bits: 4 });
    const x = zeros([2, 40]);
    await expectNoLeak(() => {
      dispose(quantizeWeight(matrix, { symmetric: false }));
      dispose(grad((v) => sum(quantizedLinear(v, weight)), [x]));
    });
    const wrong: [() => unknown, RegExp][] = [
      [() => quantizeWeight(zeros([4])), /\[outFeatures, inFeatures\] that is not empty, got \[4\]/],
      [() => quantizeWeight(zeros([4, 0])), /not empty, got \[4, 0\]/],
      [() => quantizeWeight(zeros([4, 4], "int32")), /float32 weight, got int32/],
      [() => quantizeWeight(matrix, { bits: 2 as never }), /bits 8 or 4, got 2/],
      [() => quantizeWeight(matrix, { groupSize: 48 }), /groupSize as a multiple of 32, got 48/],
      [() => quantizeWeight(matrix, { symmetric: 1 as never }), /symmetric true or false/],
      [() => quantizeWeight(matrix, { group: 32 } as never), /one named group/],
      [() => dequantizeWeight(matrix as never), /a quantized weight, got a tensor/],
      [() => dequantizeWeight({ ...weight, groupSize: 64 }), /scales \[4, 1\].*got \[4, 2\]/],
      [() => dequantizeWeight({ ...weight, bits: 8 }), /values \[4, 12\].*got \[4, 8\]/],
      [() => dequantizeWeight({ ...weight, scales: weight.values }), /float32 scales, got int32/],
      [() => quantizedLinear(zeros([2, 39]), weight), /x with 40 features in its last axis, got \[2, 39\]/],
      [() => quantizedLinear(x, weight, { bias: zeros([3]) }), /a bias \[4\], got \[3\]/],
      [() => quantizedLinear(zeros([2, 40], "int32"), weight), /float32 tensors, got int32/],
      [() => quantizedLinear(x, weight, { activationBits: 8 as never }), /activationBits 32 or 16, got 8/],
      [() => quantizedLinear(x, weight, { activation: "relu" } as never), /one named activation/],
    ];
    for (const [call, message] of wrong) expect(call).toThrow(message);
    dispose([matrix, weight, x]);
  });
});

const part = (name: string) => fixture.host(name);
const cases = Object.fromEntries(
  names.map((name) => {
    const { bits, groupSize } = JSON.parse(fixture.metadata[name]);
    const [, inFeatures] = part(`${name}/weight`).shape;
    const inputs = {
      values: part(`${name}/values`),
      scales: part(`${name}/scales`),
      ...(fixture.has(`${name}/zeroPoints`) && { zeroPoints: part(`${name}/zeroPoints`) }),
    };
    const attrs = {
      bits,
      inFeatures,
      groupSize: groupSize ?? (bits === 8 ? Math.ceil(inFeatures / 32) * 32 : 32),
    };
    return [name, { inputs, attrs, gradient: false }] as const;
  }),
);
// weights are constants: the fixtures check the gradients of x and bias
describeKernel(dequantizeKernel, cases);
describeKernel(
  quantizedLinearKernel,
  Object.fromEntries(
    Object.entries(cases).map(([name, { inputs, attrs }]) => [
      name,
      {
        inputs: { ...inputs, x: randomHostTensor([5, attrs.inFeatures]) },
        attrs: { ...attrs, activationBits: 32 },
        gradient: false,
      },
    ]),
  ),
);

describeEachDevice("quantizedLinear on threads", () => {
  it("gives the same bits for any number, for few rows and many", async () => {
    const host = randomHostTensor([37, 300]);
    for (const bits of [8, 4] as const)
      for (const rows of [3, 20]) {
        const input = randomHostTensor([rows, 300]);
        await expectSameOnThreads(async () => {
          const weight = tensor(host.values as Float32Array, host.shape);
          const quantized = quantizeWeight(weight, { bits, symmetric: false });
          const x = tensor(input.values as Float32Array, input.shape);
          const y = quantizedLinear(x, quantized);
          const results = [await read(y)];
          dispose([weight, quantized, x, y]);
          return results;
        });
      }
  });

  it("equals the float product where a row holds more than one block of sums, and more than one panel", async () => {
    await useDevice("wasm");
    for (const [rows, outFeatures, inFeatures] of [
      [2, 5, 9000],
      [17, 70, 20000],
    ]) {
      const host = randomHostTensor([outFeatures, inFeatures]);
      const input = randomHostTensor([rows, inFeatures], { stream: "x" });
      const weight = tensor(host.values as Float32Array, host.shape);
      const quantized = quantizeWeight(weight);
      const x = tensor(input.values as Float32Array, input.shape);
      const floats = dequantizeWeight(quantized);
      const [y, expected] = [quantizedLinear(x, quantized), linear(x, floats)];
      // sums of 20000 products in float32, in another order
      await expect(y).toBeCloseToTensor(expected, { absoluteScale: 1e-5 });
      dispose([weight, quantized, x, floats, y, expected]);
    }
  });
}, ["wasm"]);
