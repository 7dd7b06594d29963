import { expect, it } from "vitest";
import { useDevice } from "../device.js";
import * as ai from "../index.js";
import {
  describeEachDevice,
  type HostTensor,
  randomHostTensor,
  type ToleranceOptions,
} from "../testing/index.js";

/** Sizes above a workgroup and a tile, none of them round: every device against the plain loops of `cpu`. */

interface Case {
  readonly shapes: readonly (readonly number[])[];
  readonly compute: (inputs: ai.Tensor[]) => ai.Tensor;
  readonly tolerance?: ToleranceOptions;
}

const indices = (count: number, below: number): ai.Tensor =>
  ai.tensor(Int32Array.from({ length: count }, (_, i) => (i * 7919 + 13) % below));

// sums of hundreds of terms in each device's own order
const summed = { absoluteScale: 1e-5 };

const CASES: Record<string, Case> = {
  "a convolution of 21 to 37 channels": {
    shapes: [[1, 9, 7, 21], [3, 3, 21, 37]], // biome-ignore format: one row a tensor
    compute: ([x, filter]) => ai.conv2d(x, filter, { padding: 1 }),
    tolerance: summed,
  },
  "a strided convolution of 32 to 64 channels": {
    shapes: [[1, 9, 8, 32], [3, 3, 32, 64]], // biome-ignore format: one row a tensor
    compute: ([x, filter]) => ai.conv2d(x, filter, { padding: 1, stride: 2 }),
    tolerance: summed,
  },
  "a dilated convolution": {
    shapes: [[1, 11, 9, 12], [3, 3, 12, 20]], // biome-ignore format: one row a tensor
    compute: ([x, filter]) => ai.conv2d(x, filter, { padding: 2, dilation: 2 }),
    tolerance: summed,
  },
  "a depthwise convolution of 68 channels": {
    shapes: [[2, 15, 13, 68], [3, 3, 1, 68]], // biome-ignore format: one row a tensor
    compute: ([x, filter]) => ai.conv2d(x, filter, { padding: 1, groups: 68 }),
    tolerance: summed,
  },
  "a transposed convolution": {
    shapes: [[2, 9, 7, 24], [4, 4, 18, 24]], // biome-ignore format: one row a tensor
    compute: ([x, filter]) => ai.convTranspose2d(x, filter, { stride: 2, padding: 1 }),
    tolerance: summed,
  },
  "poolings of 33 channels": {
    shapes: [[3, 17, 19, 33]],
    compute: ([x]) =>
      ai.add(
        ai.maxPool2d(x, { kernelSize: 3, stride: 2, padding: 1 }),
        ai.avgPool2d(x, { kernelSize: 3, stride: 2, padding: 1 }),
      ),
  },
  "batch normalization of 1,500 rows and of 5,000 channels": {
    shapes: [[1500, 7], [7], [3, 5000]],
    compute: ([x, weight, wide]) =>
      ai.add(
        ai.sum(ai.square(ai.batchNormTraining(x, { weight }).output), { axes: 1 }),
        ai.slice(ai.sum(ai.pow(ai.batchNormTraining(wide).output, 3), { axes: 0 }), [0], [1500]),
      ),
    tolerance: summed,
  },
  "gathered and scattered rows of 129": {
    shapes: [[70, 129]],
    compute: ([x]) => {
      const rows = indices(301, 70);
      return ai.add(ai.gather(x, rows), ai.gather(ai.indexAdd(x, rows, ai.gather(x, rows)), rows));
    },
    tolerance: summed,
  },
  "sorted lines of 1,037": { shapes: [[3, 1037]], compute: ([x]) => ai.sort(x, { descending: true }).values },
  "pictures enlarged and shrunk": {
    shapes: [[2, 23, 31, 5]],
    compute: ([x]) =>
      ai.interpolate(ai.interpolate(x, { size: [61, 67], mode: "bicubic" }), {
        size: [17, 13],
        mode: "bilinear",
        antialias: true,
      }),
    tolerance: summed,
  },
};

/** The result and its gradients under a fixed seed. */
async function run({ shapes, compute }: Case): Promise<HostTensor[]> {
  const inputs = shapes.map((shape, n) => {
    const { values } = randomHostTensor(shape, { stream: `input${n}` });
    return ai.tensor(values as Float32Array, shape);
  });
  const { value, grads } = ai.valueAndGrad(() => {
    const result = compute(inputs);
    const { values } = randomHostTensor(result.shape, { stream: "seed" });
    return ai.sum(ai.mul(result, ai.tensor(values as Float32Array, result.shape)));
  }, inputs);
  const output = ai.tidy(() => compute(inputs));
  const hosts: HostTensor[] = [];
  for (const tensor of [output, ...grads])
    hosts.push({ shape: tensor.shape, dtype: tensor.dtype, values: (await ai.read(tensor)).slice() });
  ai.dispose([inputs, value, output, grads]);
  return hosts;
}

describeEachDevice(
  "large and odd sizes of windows and indices",
  (device) => {
    for (const [title, entry] of Object.entries(CASES))
      it(title, async () => {
        await useDevice("cpu");
        const expected = await run(entry);
        await useDevice(device, { allowSoftwareAdapter: true });
        for (const [n, actual] of (await run(entry)).entries()) {
          const tensor = ai.tensor(actual.values as Float32Array, actual.shape);
          await expect(tensor).toBeCloseToTensor(expected[n], entry.tolerance);
          tensor.dispose();
        }
      });
  },
  ["wasm", "webgpu"],
);
