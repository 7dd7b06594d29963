import { beforeAll, describe, expect, it } from "vitest";
import { valueAndGrad } from "../../autograd.js";
import { useDevice } from "../../device.js";
import { crossEntropy } from "../../kernels/cross-entropy/cross-entropy.js";
import { sgdUpdate } from "../../kernels/sgd-update/sgd-update.js";
import { dispose, memory, tidy } from "../../memory.js";
import { relu } from "../../ops/activations.js";
import { conv2d } from "../../ops/conv.js";
import { linear } from "../../ops/matmul.js";
import { softmax } from "../../ops/softmax.js";
import { fromValues, read, zeros } from "../../tensor.js";

const STEPS = 100_000;
const INFERENCES = 10_000;

/** Values between −½ and ½. */
const values = (length: number) => Float32Array.from({ length }, (_, i) => ((i * 7919) % 101) / 101 - 0.5);

/** What must not grow: the memory itself, what tensors hold of it, and how many there are. */
function holding() {
  const { numTensors, numBytes, heap } = memory();
  const { capacityBytes, tensorBytes, packedBytes, workingBytes } = heap!;
  return { numTensors, numBytes, capacityBytes, tensorBytes, packedBytes, workingBytes };
}

beforeAll(async () => {
  await useDevice("wasm");
});

describe("a long life on the CPU engine", () => {
  it(`ends ${STEPS} training steps with the heap of the first hundred`, { timeout: 1_200_000 }, async () => {
    const x = fromValues(values(8 * 6), [8, 6], "float32");
    const y = fromValues(
      Int32Array.from({ length: 8 }, (_, i) => i % 3),
      [8],
      "int32",
    );
    const shapes = [[16, 6], [16], [3, 16], [3]];
    const weights = shapes.map((shape) => ({
      value: fromValues(values(shape.reduce((a, b) => a * b)), shape, "float32"),
    }));
    const step = () => {
      const { value: loss, grads } = valueAndGrad(
        (w1, b1, w2, b2) => crossEntropy(linear(relu(linear(x, w1, b1)), w2, b2), y),
        weights.map(({ value }) => value),
      );
      for (const [i, weight] of weights.entries()) sgdUpdate(weight, grads[i], { learningRate: 0.01 });
      dispose(grads);
      return loss;
    };
    const first = step();
    const [firstLoss] = await read(first);
    first.dispose();
    for (let i = 1; i < 100; i++) step().dispose();
    const before = holding();
    for (let i = 100; i < STEPS - 1; i++) step().dispose();
    const last = step();
    const [lastLoss] = await read(last);
    last.dispose();
    expect(holding()).toEqual(before);
    expect(lastLoss).toBeLessThan(firstLoss / 2);
    dispose([x, y, ...weights.map(({ value }) => value)]);
  });

  it(`ends ${INFERENCES} inferences of varying shapes with the heap of the first hundred`, {
    timeout: 1_200_000,
  }, async () => {
    const filter = fromValues(values(3 * 3 * 2 * 5), [3, 3, 2, 5], "float32");
    const weight = fromValues(values(7 * 5), [7, 5], "float32");
    const infer = (i: number) =>
      tidy(() => {
        const [batch, height, width] = [3 - (i % 3), 19 - (i % 17), 31 - (i % 29)];
        const image = zeros([batch, height, width, 2]);
        return softmax(linear(conv2d(image, filter, { padding: 1 }), weight));
      });
    // the first has the largest shape: none of the 3 · 17 · 29 needs more than it
    for (let i = 0; i < 100; i++) infer(i).dispose();
    const before = holding();
    for (let i = 0; i < INFERENCES; i++) infer(i).dispose();
    expect(holding()).toEqual(before);
    dispose([filter, weight]);
  });
});
