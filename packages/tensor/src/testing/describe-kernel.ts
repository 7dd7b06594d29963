import type { Tensor } from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { valueAndGrad } from "../autograd.js";
import { type DeviceName, useDevice } from "../device.js";
import type { DType, TypedArray } from "../dtype.js";
import type { Kernel, KernelInputs } from "../kernels/define-kernel.js";
import { dispose, memory, tidy } from "../memory.js";
import { add, mul } from "../ops/arithmetic.js";
import { sum } from "../ops/reduce.js";
import { RandomGenerator } from "../random.js";
import { sizeOf } from "../shape.js";
import { fromValues, read, scalar } from "../tensor.js";
import { describeEachDevice } from "./devices.js";
import { difference, type HostTensor, type ToleranceOptions } from "./matcher.js";
import { wasmBackend } from "./wasm-kernels.js";

/** One call of a kernel. */
export interface KernelCase<Inputs extends KernelInputs, Attributes extends object> {
  /** Host values by input name. */
  readonly inputs: { readonly [Name in keyof Inputs]: HostTensor };
  readonly attrs: Attributes;
  /** Looser than the default needs a comment with its reason. */
  readonly tolerance?: ToleranceOptions;
  /** Compare the gradients too. Default true. */
  readonly gradient?: boolean;
}

/**
 * Normal random host values, the same in every run; where `contains` is given, they replace the first values.
 * @param shape Sizes of the result.
 */
export function randomHostTensor(
  shape: readonly number[],
  {
    stream = "",
    scale = 1,
    contains = [],
  }: { stream?: string; scale?: number; contains?: readonly number[] } = {},
): HostTensor {
  const generator = new RandomGenerator(2026).fork(`${stream}[${shape}]`);
  const values = Float32Array.from({ length: sizeOf(shape) }, () => scale * generator.normal());
  values.set(contains.slice(0, values.length));
  return { shape, dtype: "float32", values };
}

interface Results {
  readonly outputs: HostTensor[];
  readonly gradients: Record<string, HostTensor>;
}

function toTensor({ shape, dtype, values }: HostTensor): Tensor {
  return fromValues((values as TypedArray).slice(), shape, dtype as DType);
}

async function toHost(value: Tensor): Promise<HostTensor> {
  return { shape: value.shape, dtype: value.dtype, values: (await read(value)).slice() };
}

/** Outputs, and gradients of all float32 inputs under a fixed random seed, of one way to compute a case. */
async function run(
  inputs: Readonly<Record<string, HostTensor>>,
  compute: (inputs: Record<string, Tensor>) => Tensor[],
  withGradient: boolean,
): Promise<Results> {
  const tensors = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, toTensor(value)]));
  const outputs = tidy(() => compute(tensors));
  const hosts = await Promise.all(outputs.map(toHost));
  dispose(outputs);
  const gradients: Record<string, HostTensor> = {};
  if (withGradient) {
    const names = Object.keys(inputs).filter((name) => inputs[name].dtype === "float32");
    const loss = (): Tensor =>
      compute(tensors).reduce((total, output, index) => {
        const seed = toTensor(randomHostTensor(output.shape, { stream: `seed${index}` }));
        return output.dtype === "float32" ? add(total, sum(mul(output, seed))) : total;
      }, scalar(0));
    const { value, grads } = valueAndGrad(
      loss,
      names.map((name) => tensors[name]),
    );
    for (const [index, name] of names.entries()) gradients[name] = await toHost(grads[index]);
    dispose([value, grads]);
  }
  dispose(Object.values(tensors));
  return { outputs: hosts, gradients };
}

async function compare(
  what: string,
  actual: HostTensor,
  expected: HostTensor,
  tolerance?: ToleranceOptions,
): Promise<void> {
  const tensor = toTensor(actual);
  expect(await difference(tensor, expected, tolerance), what).toBeUndefined();
  tensor.dispose();
}

/** Fails unless the engine with every job cut, however small, gives the very same bits. */
async function expectSameBits<Inputs extends KernelInputs, Attributes extends object>(
  hosts: Readonly<Record<string, HostTensor>>,
  kernel: Kernel<Inputs, Attributes>,
  attrs: Attributes,
  gradient: boolean,
  expected: Results,
): Promise<void> {
  const { pool } = wasmBackend().runtime;
  if (pool.threads === 1) return;
  const { costs } = pool;
  pool.setCosts({ serialBelow: 0, wakeAbove: 0 });
  const cut = await run(hosts, (values) => kernel.multiple(values as unknown as Inputs, attrs), gradient);
  pool.setCosts(costs);
  const bitsOf = ({ outputs, gradients }: Results): Uint8Array[] =>
    [...outputs, ...Object.values(gradients)].map(({ values }) => {
      const { buffer, byteOffset, byteLength } = values as TypedArray;
      return new Uint8Array(buffer, byteOffset, byteLength);
    });
  const whole = bitsOf(expected);
  for (const [index, bits] of bitsOf(cut).entries())
    expect(
      bits.findIndex((byte, place) => byte !== whole[index][place]),
      `first byte that differs with every job cut, in result ${index}`,
    ).toBe(-1);
}

/**
 * Declares tests of a kernel on every device: each case gives what the kernel's reference gives on `cpu`, forward and
 * for all float32 inputs backward, leaves no tensor behind and, on `wasm`, gives the same bits for every cut of its jobs. Give sizes that break kernels: 0, 1, odd, above 64,
 * and values of NaN.
 * @example
 * describeKernel(geluKernel, { odd: { inputs: { x: randomHostTensor([67]) }, attrs: { approximate: "none" } } });
 */
export function describeKernel<Inputs extends KernelInputs, Attributes extends object>(
  kernel: Kernel<Inputs, Attributes>,
  cases: Readonly<Record<string, KernelCase<Inputs, Attributes>>>,
): void {
  const { name, reference } = kernel.spec;
  if (reference === undefined)
    throw new Error(`describeKernel: kernel ${name} has no reference to compare with`);
  describeEachDevice(`${name} against its reference`, (device: DeviceName) => {
    for (const [title, { inputs, attrs, tolerance, gradient = true }] of Object.entries(cases))
      it(title, async () => {
        const hosts = inputs as Readonly<Record<string, HostTensor>>;
        await useDevice("cpu");
        const expected = await run(
          hosts,
          (values) => [reference(values as unknown as Inputs, attrs)].flat(),
          gradient,
        );
        await useDevice(device, { allowSoftwareAdapter: true });
        const before = memory();
        const actual = await run(
          hosts,
          (values) => kernel.multiple(values as unknown as Inputs, attrs),
          gradient,
        );
        expect(memory().numTensors, "live tensors").toBe(before.numTensors);
        if (device === "wasm") await expectSameBits(hosts, kernel, attrs, gradient, actual);
        for (const [index, output] of actual.outputs.entries())
          await compare(`output ${index}`, output, expected.outputs[index], tolerance);
        for (const [input, value] of Object.entries(actual.gradients))
          await compare(`gradient of ${input}`, value, expected.gradients[input], tolerance);
      });
  });
}
