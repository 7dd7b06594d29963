import { describe, expect, it } from "vitest";
import {
  add,
  cast,
  checkpoint,
  customGradient,
  detectAnomaly,
  dispose,
  exp,
  grad,
  gradcheck,
  greater,
  log,
  manualSeed,
  matMul,
  mul,
  neg,
  noGrad,
  ones,
  randomUniform,
  read,
  relu,
  sigmoid,
  square,
  stopGradient,
  sub,
  sum,
  tanh,
  tensor,
  tidy,
  valueAndGrad,
  where,
  withinLayer,
  zeros,
} from "./index.js";
import { describeEachDevice, expectNoLeak } from "./testing/index.js";

const numbers = (values: number[], shape: number[] = [values.length]) => ({
  shape,
  dtype: "float32",
  values,
});

describeEachDevice("gradients", () => {
  it("sums a broadcast gradient back and leaks nothing", async () => {
    await expectNoLeak(async () => {
      const a = tensor([
        [1, 2],
        [3, 4],
      ]);
      const b = tensor([10, 20]);
      const { value, grads } = valueAndGrad((x, y) => sum(add(x, y)), [a, b]);
      await expect(value).toBeCloseToTensor(numbers([70], []));
      await expect(grads[0]).toBeCloseToTensor(numbers([1, 1, 1, 1], [2, 2]));
      await expect(grads[1]).toBeCloseToTensor(numbers([2, 2]));
      dispose([a, b, value, ...grads]);
    });
  });

  it("adds the gradients of every use of a tensor", async () => {
    const x = tensor([3]);
    const [dx] = grad((t) => sum(add(mul(t, t), add(t, t))), [x]);
    await expect(dx).toBeCloseToTensor(numbers([8]));
    dispose([x, dx]);
  });

  it("gives second and third derivatives", async () => {
    await expectNoLeak(async () => {
      const x = tensor([0.5, -1.25]);
      const first = (t: typeof x) => grad((u) => sum(mul(u, tanh(u))), [t])[0];
      const second = (t: typeof x) => grad((u) => sum(first(u)), [t])[0];
      const [third] = grad((t) => sum(second(t)), [x]);
      const result = second(x);
      // d²/dx² x·tanh x = 2 s − 2 x s tanh x, with s = 1 − tanh² x
      const expected = [0.5, -1.25].map((v) => {
        const t = Math.tanh(v);
        return 2 * (1 - t * t) * (1 - v * t);
      });
      await expect(result).toBeCloseToTensor(numbers(expected));
      const expectedThird = [0.5, -1.25].map((v) => {
        const t = Math.tanh(v);
        const s = 1 - t * t;
        return -4 * t * s * (1 - v * t) + 2 * s * (-t - v * s);
      });
      await expect(third).toBeCloseToTensor(numbers(expectedThird));
      dispose([x, third, result]);
    });
  });

  it("differentiates inside a gradient function without losing the outer tape", async () => {
    await expectNoLeak(async () => {
      const x = tensor([2]);
      // the gradient of this function is itself computed by differentiation: d(x³)/dx · dy
      const cube = customGradient(
        (t) => mul(t, square(t)),
        (dy, [t]) => [tidy(() => mul(dy, grad((u) => sum(mul(u, square(u))), [t])[0]))],
      );
      const [dx] = grad((t) => sum(mul(exp(t), cube(mul(t, 1)))), [x]);
      const e = Math.exp(2);
      await expect(dx).toBeCloseToTensor(numbers([e * 8 + e * 12]));
      dispose([x, dx]);
    });
  });

  it("has zero gradient through comparisons", async () => {
    const x = tensor([-1, 2]);
    const [dx] = grad(
      (t) => sum(add(where(greater(t, 0), mul(t, 3), t), cast(greater(t, 0), "float32"))),
      [x],
    );
    await expect(dx).toBeCloseToTensor(numbers([1, 3]));
    dispose([x, dx]);
  });

  it("treats noGrad and stopGradient as constants", async () => {
    await expectNoLeak(async () => {
      const x = tensor([3]);
      const [dx] = grad((t) => sum(mul(t, stopGradient(t))), [x]);
      const [dy] = grad(
        (t) =>
          sum(
            mul(
              t,
              noGrad(() => square(t)),
            ),
          ),
        [x],
      );
      await expect(dx).toBeCloseToTensor(numbers([3]));
      await expect(dy).toBeCloseToTensor(numbers([9]));
      dispose([x, dx, dy]);
    });
  });

  it("seeds a non-scalar result and returns the seed's own values where the result is the input", async () => {
    await expectNoLeak(async () => {
      const x = tensor([1, 2]);
      const seed = tensor([10, 20]);
      const [dx] = grad((t) => square(t), [x], { seed });
      const [identity] = grad((t) => t, [x], { seed });
      await expect(dx).toBeCloseToTensor(numbers([20, 80]));
      await expect(identity).toBeCloseToTensor(numbers([10, 20]));
      dispose([x, seed, dx, identity]);
    });
  });

  it("refuses what has no gradient, and leaks nothing then", async () => {
    await expectNoLeak(() => {
      const x = zeros([2]);
      const i = zeros([2], "int32");
      expect(() => grad((t) => add(t, 1), [x])).toThrow(/expected a scalar result or a seed/);
      expect(() => grad(() => sum(i), [x])).toThrow(/expected a float32 result/);
      expect(() => grad((t) => sum(t), [i])).toThrow(/expected float32 inputs/);
      const y = ones([2]);
      expect(() => grad((t) => sum(square(t)), [x, y])).toThrow(/ignores input 1/);
      const [dx, unused] = grad((t) => sum(square(t)), [x, y], { allowUnused: true });
      expect(unused).toBeNull();
      expect(() =>
        grad(
          (t) => {
            sum(exp(t));
            throw new TypeError("from the user's function");
          },
          [x],
        ),
      ).toThrow("from the user's function");
      dispose([x, y, i, dx]);
    });
  });

  it("checkpoints with the same gradients, parameters and random numbers included", async () => {
    manualSeed(7);
    await expectNoLeak(async () => {
      const x = tensor([
        [0.5, -1],
        [2, 0.25],
      ]);
      const weight = tensor([
        [1, -0.5],
        [0.3, 0.8],
      ]);
      const block = (t: typeof x) => {
        const noise = randomUniform([2, 2]);
        return mul(sigmoid(matMul(t, weight)), noise);
      };
      manualSeed(3);
      const plain = valueAndGrad((t) => sum(square(block(t))), [x, weight]);
      manualSeed(3);
      const saved = valueAndGrad((t) => sum(square(checkpoint(block, [t], [weight]))), [x, weight]);
      await expect(saved.value).toBeCloseToTensor(plain.value);
      await expect(saved.grads[0]).toBeCloseToTensor(plain.grads[0]);
      await expect(saved.grads[1]).toBeCloseToTensor(plain.grads[1]);
      dispose([x, weight, plain.value, saved.value, ...plain.grads, ...saved.grads]);
    });
  });

  it("names the op and the layer of the first NaN, forward and backward", async () => {
    await expectNoLeak(async () => {
      const x = tensor([-1, 2]);
      const zero = tensor([0, 0]);
      await expect(
        detectAnomaly(() =>
          withinLayer("encoder", () => withinLayer("norm", () => dispose(tidy(() => relu(log(x)))))),
        ),
      ).rejects.toThrow(/first NaN in ai\/Log, layer encoder\.norm/);
      // the value is fine (0·exp(0)), the gradient is 0·∞
      await expect(
        detectAnomaly(() =>
          dispose(
            grad(
              (t) =>
                sum(
                  where(
                    greater(t, 0),
                    withinLayer("head", () => mul(log(t), t)),
                    t,
                  ),
                ),
              [zero],
            ),
          ),
        ),
      ).rejects.toThrow(/NaN/);
      const value = await detectAnomaly(async () => read(zero));
      expect([...value]).toEqual([0, 0]);
      await expect(detectAnomaly(() => Promise.reject(new TypeError("own")))).rejects.toThrow("own");
      dispose([x, zero]);
    });
  });
});

describeEachDevice("gradcheck", () => {
  it("accepts right gradients and names the element of a wrong one", async () => {
    await expectNoLeak(async () => {
      const x = tensor([0.5, -0.25, 1.5]);
      await gradcheck((t) => mul(tanh(t), sub(t, 0.3)), [x]);
      const wrong = customGradient(
        (t) => square(t),
        (dy, [t]) => [mul(dy, t)],
      );
      await expect(gradcheck(wrong, [x])).rejects.toThrow(/element 0 of input 0 \[3\]/);
      const stop = new AbortController();
      stop.abort();
      await expect(gradcheck(neg, [x], { signal: stop.signal })).rejects.toThrow(/abort/i);
      await expect(gradcheck(neg, [x], { step: 0 })).rejects.toThrow(/step above 0/);
      x.dispose();
    });
  });
});

describe("useDevice", () => {
  it("refuses an unknown name", async () => {
    const { useDevice } = await import("./index.js");
    await expect(useDevice("tpu" as "cpu")).rejects.toThrow(/expected cpu, wasm, webgpu or cuda, got tpu/);
  });
});
