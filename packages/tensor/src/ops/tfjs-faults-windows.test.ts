import { expect, it } from "vitest";
import * as ai from "../index.js";
import { describeEachDevice, type HostTensor } from "../testing/index.js";

/**
 * What tfjs 4.22 gets wrong in the ops of this library's slices, indices, convolutions, pools and pictures, one test a
 * fault: the smallest input that shows it, and the right answer.
 */

const floats = (shape: number[], values: number[]): HostTensor => ({ shape, dtype: "float32", values });

/** The gradient of the sum of `f(x)`. */
async function expectGradient(
  f: (x: ai.Tensor) => ai.Tensor,
  x: HostTensor,
  expected: number[],
): Promise<void> {
  const input = ai.tensor([...x.values], x.shape);
  const [gradient] = ai.grad((value) => ai.sum(f(value)), [input]);
  await expect(gradient).toBeCloseToTensor(floats([...x.shape], expected));
  ai.dispose([input, gradient]);
}

describeEachDevice("tfjs's faults with windows and indices are absent", () => {
  it("average pooling with padding: its gradient divides by the cells that count", async () => {
    const options = { kernelSize: 2, stride: 1, padding: 1, countIncludePad: false };
    await expectGradient((x) => ai.avgPool2d(x, options), floats([1, 1, 1, 1], [1]), [4]); // four windows of one cell
    await expectGradient((x) => ai.avgPool3d(x, options), floats([1, 1, 1, 1, 1], [1]), [8]);
  });

  it("mirror padding: its gradient counts the mirrored cells", async () => {
    await expectGradient((x) => ai.pad(x, [[0, 1]], { mode: "reflect" }), floats([2], [3, 4]), [2, 1]);
    await expectGradient((x) => ai.pad(x, [[0, 1]], { mode: "replicate" }), floats([2], [3, 4]), [1, 2]);
  });

  it("resizing: gradients with half-pixel centers, of pictures that are not square (cpu)", async () => {
    await expectGradient(
      (x) => ai.interpolate(x, { size: 1, mode: "bilinear" }),
      floats([1, 2, 1, 1], [1, 2]),
      [0.5, 0.5],
    );
    await expectGradient(
      (x) => ai.interpolate(x, { size: [4, 1], mode: "bilinear" }),
      floats([1, 2, 1, 1], [1, 2]),
      [2, 2],
    );
  });

  it("gradients that are missing: strided slices, gatherNd, scatterNd, topK", async () => {
    await expectGradient((x) => ai.stridedSlice(x, { strides: [2] }), floats([3], [1, 2, 3]), [1, 0, 1]);
    const corner = ai.tensor(Int32Array.of(1, 0, 1, 0), [2, 2]);
    const cells = ai.tensor(Int32Array.of(1, 1), [2, 1]);
    await expectGradient((x) => ai.gatherNd(x, corner), floats([2, 2], [1, 2, 3, 4]), [0, 0, 2, 0]);
    await expectGradient((x) => ai.scatterNd(cells, ai.square(x), [3]), floats([2], [1, 2]), [2, 4]);
    await expectGradient((x) => ai.topK(x, 2).values, floats([3], [1, 3, 2]), [0, 1, 1]);
    ai.dispose([corner, cells]);
  });

  it("gradients that are missing: batch normalization without weight and bias, dilated and transposed convolution", async () => {
    const one = ai.tensor([1]);
    await expectGradient(
      (x) => ai.batchNorm(x, { mean: one, variance: one, epsilon: 0 }),
      floats([2, 1], [1, 2]),
      [1, 1],
    );
    const taps = ai.tensor([1, 10], [2, 1, 1]);
    await expectGradient(
      (x) => ai.conv1d(x, taps, { dilation: 2 }),
      floats([1, 4, 1], [1, 2, 3, 4]),
      [1, 1, 10, 10],
    );
    const cube = ai.tensor([1, 10], [2, 1, 1, 1, 1]);
    await expectGradient((x) => ai.convTranspose3d(x, cube), floats([1, 2, 1, 1, 1], [1, 2]), [11, 11]);
    ai.dispose([one, taps, cube]);
  });

  it("padding of rank 5, and the gradient of a slice of rank 6 (webgpu)", async () => {
    const x = ai.tensor([1, 2], [1, 1, 1, 1, 2]);
    const padded = ai.pad(x, [[0, 1], [0, 0], [0, 0], [0, 0], [1, 0]]); // biome-ignore format: one row an axis
    await expect(padded).toBeCloseToTensor(floats([2, 1, 1, 1, 3], [0, 1, 2, 0, 0, 0]));
    await expectGradient(
      (value) => ai.slice(value, [0, 0, 0, 0, 0, 1], [-1, -1, -1, -1, -1, 1]),
      floats([1, 1, 1, 1, 1, 3], [1, 2, 3]),
      [0, 1, 0],
    );
    ai.dispose([x, padded]);
  });

  it("maximum pooling: ties go to the first cell (webgpu), negatives and volumes (wasm)", async () => {
    await expectGradient(
      (x) => ai.maxPool2d(x, { kernelSize: 2 }),
      floats([1, 2, 2, 1], [1, 1, 1, 1]),
      [1, 0, 0, 0],
    );
    await expectGradient(
      (x) => ai.maxPool2d(x, { kernelSize: 2 }),
      floats([1, 2, 2, 1], [-4, -3, -2, -1]),
      [0, 0, 0, 1],
    );
    const volume = ai.tensor([-8, -7, -6, -5, -4, -3, -2, -1], [1, 2, 2, 2, 1]);
    const pooled = ai.maxPool3d(volume, { kernelSize: 2 });
    await expect(pooled).toBeCloseToTensor(floats([1, 1, 1, 1, 1], [-1]));
    ai.dispose([volume, pooled]);
  });

  it("convolutions of volumes: their gradients (wasm)", async () => {
    const x = ai.tensor([1, 2, 3, 4], [1, 2, 2, 1, 1]);
    const filter = ai.tensor([3], [1, 1, 1, 1, 1]);
    const [dx, dFilter] = ai.grad((a, b) => ai.sum(ai.conv3d(a, b)), [x, filter]);
    await expect(dx).toBeCloseToTensor(floats([1, 2, 2, 1, 1], [3, 3, 3, 3]));
    await expect(dFilter).toBeCloseToTensor(floats([1, 1, 1, 1, 1], [10]));
    ai.dispose([x, filter, dx, dFilter]);
  });
});
