import { expect, it } from "vitest";
import { KernelError } from "../errors.js";
import {
  adamwUpdate,
  type InPlaceBuffer,
  type InPlaceTarget,
  keep,
  mul,
  read,
  reshape,
  sgdUpdate,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
  zeros,
} from "../index.js";
import { describeEachDevice, expectNoLeak, loadFixture, randomHostTensor } from "../testing/index.js";
import { dataVersion } from "../versions.js";
import { adamwUpdateKernel } from "./adamw-update/adamw-update.js";
import { defineInPlaceKernel } from "./in-place.js";
import { sgdUpdateKernel } from "./sgd-update/sgd-update.js";

const fixture = await loadFixture(new URL("../../fixtures/optimizer-updates.safetensors", import.meta.url));

/** Runs the twenty stored steps and compares the parameter after each. */
async function expectSteps(
  name: string,
  update: (target: InPlaceTarget, gradient: Tensor, step: number) => void,
): Promise<void> {
  const target = { value: keep(fixture.tensor("start")) };
  const gradients = fixture.host("gradients").values as Float32Array;
  const expected = fixture.host(name).values as Float32Array;
  for (let step = 1; step <= 20; step++) {
    const gradient = tensor(gradients.slice(15 * (step - 1), 15 * step), [3, 5]);
    update(target, gradient, step);
    gradient.dispose();
    await expect(target.value).toBeCloseToTensor({
      shape: [3, 5],
      dtype: "float32",
      values: expected.slice(15 * (step - 1), 15 * step),
    });
  }
  target.value.dispose();
}

const empty = (): InPlaceBuffer => ({ value: null });

describeEachDevice("in-place updates", () => {
  it("raise the versions of what they have overwritten when they throw half way", () => {
    const fail = () => {
      throw new KernelError("a worker was lost");
    };
    const failing = defineInPlaceKernel<object>({
      name: "Failing",
      reference: fail,
      implementations: { cpu: fail, wasm: fail, webgpu: fail },
    });
    const target = { value: tensor([1, 2]) };
    expect(() => failing([target], [], {})).toThrow("a worker was lost");
    expect(dataVersion(target.value)).toBe(1);
    target.value.dispose();
  });

  it("equal 20 steps of torch.optim.SGD", async () => {
    await expectSteps("sgd/plain", (target, gradient) => sgdUpdate(target, gradient, { learningRate: 0.1 }));
    await expectSteps("sgd/decay", (target, gradient) =>
      sgdUpdate(target, gradient, { learningRate: 0.1, weightDecay: 0.3, maximize: true }),
    );
    const cases = {
      "sgd/momentum": { learningRate: 0.05, momentum: 0.9 },
      "sgd/dampening": {
        learningRate: 0.05,
        momentum: 0.8,
        dampening: 0.4,
        weightDecay: 0.1,
        maximize: true,
      },
      "sgd/nesterov": { learningRate: 0.05, momentum: 0.9, nesterov: true, weightDecay: 0.01 },
    };
    for (const [name, options] of Object.entries(cases)) {
      const momentumBuffer = empty();
      await expectSteps(name, (target, gradient) =>
        sgdUpdate(target, gradient, { ...options, momentumBuffer }),
      );
      momentumBuffer.value!.dispose();
    }
  });

  it("equal 20 steps of torch.optim.Adam and AdamW", async () => {
    const cases = {
      "adam/plain": { learningRate: 0.1, weightDecay: 0, decoupledWeightDecay: false },
      "adam/all": {
        learningRate: 0.1,
        betas: [0.8, 0.99],
        epsilon: 1e-3,
        weightDecay: 0.2,
        decoupledWeightDecay: false,
        maximize: true,
        amsgrad: true,
      },
      "adamw/plain": { learningRate: 0.01 },
      "adamw/all": {
        learningRate: 0.1,
        betas: [0.5, 0.9],
        epsilon: 1e-6,
        weightDecay: 0.3,
        maximize: true,
        amsgrad: true,
      },
    } as const;
    for (const [name, { amsgrad = false, ...options }] of Object.entries(cases) as [
      string,
      { amsgrad?: boolean; learningRate: number },
    ][]) {
      const buffers = {
        firstMoment: empty(),
        secondMoment: empty(),
        ...(amsgrad ? { maxSecondMoment: empty() } : {}),
      };
      await expectSteps(name, (target, gradient, step) =>
        adamwUpdate(target, gradient, { ...options, ...buffers, step }),
      );
      for (const buffer of Object.values(buffers)) buffer.value!.dispose();
    }
  });

  it("equal their references, NaN included", async () => {
    const shape = [67, 3];
    const make = (stream: string, contains?: number[]): Tensor => {
      const { values } = randomHostTensor(shape, { stream, ...(contains === undefined ? {} : { contains }) });
      return tensor(Float32Array.from(values, stream === "parameter" ? (v) => v : Math.abs), shape);
    };
    const inputs = [make("gradient", [Number.NaN, 0])];
    const adam = {
      beta1: 0.9,
      beta2: 0.99,
      epsilon: 1e-8,
      stepSize: 0.1,
      denominatorScale: 0.3,
      decay: 0.9,
      penalty: 0.1,
      maximize: true,
    };
    const sgd = {
      learningRate: 0.1,
      momentum: 0.9,
      inflow: 0.5,
      nesterov: true,
      weightDecay: 0.1,
      maximize: false,
    };
    for (const [kernel, attrs, count] of [
      [adamwUpdateKernel, adam, 4],
      [adamwUpdateKernel, adam, 3],
      [sgdUpdateKernel, sgd, 2],
      [sgdUpdateKernel, sgd, 1],
    ] as const) {
      const names = ["parameter", "first", "second", "largest"].slice(0, count);
      const old = names.map((name) => make(name));
      const expected = kernel.spec.reference(old, inputs, attrs as never);
      const targets = old.map((value) => ({ value: keep(value) }));
      kernel(targets, inputs, attrs as never);
      for (const [index, { value }] of targets.entries()) {
        await expect(value).toBeCloseToTensor(expected[index]);
        value.dispose();
      }
    }
    inputs[0].dispose();
  });

  it("leave views and values that were read alone", async () => {
    const target = { value: keep(tensor([1, 2, 3, 4])) };
    const gradient = tensor([1, 1, 1, 1]);
    const values = await read(target.value);
    const view = reshape(target.value, [2, 2]);
    sgdUpdate(target, gradient, { learningRate: 1 });
    sgdUpdate(target, gradient, { learningRate: 1 });
    expect([...(await read(target.value))]).toEqual([-1, 0, 1, 2]);
    expect([...(await read(view))]).toEqual([1, 2, 3, 4]);
    expect([...values]).toEqual([1, 2, 3, 4]);
    for (const t of [target.value, gradient, view]) t.dispose();
  });

  it("inside a gradient change nothing that was saved", async () => {
    const target = { value: keep(tensor([2, 3])) };
    const gradient = tensor([1, 1]);
    const { value, grads } = valueAndGrad(
      (w) => {
        const loss = sum(mul(w, w));
        sgdUpdate(target, gradient, { learningRate: 1 });
        return loss;
      },
      [target.value],
    );
    expect([...(await read(grads[0]))]).toEqual([4, 6]);
    expect([...(await read(target.value))]).toEqual([1, 2]);
    for (const t of [target.value, gradient, value, grads[0]]) t.dispose();
  });

  it("leak nothing, take no elements, and refuse what does not fit", async () => {
    await expectNoLeak(() => {
      const target = { value: keep(zeros([0, 3])) };
      const gradient = zeros([0, 3]);
      const momentumBuffer = empty();
      for (let step = 0; step < 2; step++)
        sgdUpdate(target, gradient, { learningRate: 1, momentum: 0.9, momentumBuffer });
      for (const t of [target.value, gradient, momentumBuffer.value!]) t.dispose();
    });
    const target = { value: keep(zeros([2])) };
    const gradient = zeros([3]);
    const fitting = zeros([2]);
    await expectNoLeak(() => {
      const buffers = { firstMoment: empty(), secondMoment: empty() };
      expect(() => sgdUpdate(target, gradient, { learningRate: 1 })).toThrow(
        /parameter's shape \[2\], got float32 \[3\]/,
      );
      expect(() => adamwUpdate(target, gradient, { learningRate: 1, step: 1, ...buffers })).toThrow(
        /parameter's shape/,
      );
      expect(buffers.firstMoment.value).toBe(null);
      expect(() => sgdUpdate(target, fitting, { learningRate: 1, momentum: 0.9 })).toThrow(/momentumBuffer/);
      expect(() => sgdUpdate(target, fitting, { learningRate: -1 })).toThrow(/learningRate of at least 0/);
      expect(() => sgdUpdate(target, fitting, { learningRate: 1, nesterov: true })).toThrow(
        /momentum and no dampening/,
      );
      expect(() => adamwUpdate(target, fitting, { learningRate: 1, step: 0, ...buffers })).toThrow(
        /step of at least 1/,
      );
      expect(() =>
        adamwUpdate(target, fitting, { learningRate: 1, step: 1, betas: [1, 0.9], ...buffers }),
      ).toThrow(/betas/);
    });
    for (const t of [target.value, gradient, fitting]) t.dispose();
  });
});
