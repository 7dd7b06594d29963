/** Five steps on a line by the packed packages; the same file runs in Node, in a bundle and in a plain page. */

import { Linear, ReLU, Sequential } from "@ai/layers";
import { AdamW, DataLoader, MSELoss, TensorDataset, Trainer } from "@ai/layers/training";
import { manualSeed, tensor, useDevice } from "@ai/tensor";
import { loadImageClassifier, readImage } from "@ai/vision";

/** A JPEG and a WebP of one pixel: their decoders come as WebAssembly inside the package. */
const PICTURES = [
  "data:image/jpeg;base64,/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/wAARCAABAAEDASIAAhEBAxEB/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/8QAHwEAAwEBAQEBAQEBAQAAAAAAAAECAwQFBgcICQoL/8QAtREAAgECBAQDBAcFBAQAAQJ3AAECAxEEBSExBhJBUQdhcRMiMoEIFEKRobHBCSMzUvAVYnLRChYkNOEl8RcYGRomJygpKjU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6goOEhYaHiImKkpOUlZaXmJmaoqOkpaanqKmqsrO0tba3uLm6wsPExcbHyMnK0tPU1dbX2Nna4uPk5ebn6Onq8vP09fb3+Pn6/9oADAMBAAIRAxEAPwDl6KKKZ+jn/9k=",
  "data:image/webp;base64,UklGRiQAAABXRUJQVlA4IBgAAAAwAQCdASoBAAEAAwA0JaQAA3AA/vuUAAA=",
];

async function decodePictures() {
  for (const address of PICTURES) {
    const { width, height, data } = await readImage(address);
    if (width !== 1 || height !== 1 || data.length !== 3)
      throw new Error(`${address} is ${width} × ${height}`);
  }
}

/** A model of ours comes with the package: by name, here and in a worker, it reads a stroke as a one. */
async function readDigit(device) {
  const data = new Uint8Array(28 * 28);
  for (let y = 5; y < 23; y++) data.fill(255, 28 * y + 13, 28 * y + 16);
  for (const worker of [false, true]) {
    const read = await loadImageClassifier("mnist-digits", { device, worker });
    const [{ label }] = await read({ data, width: 28, height: 28, channels: 1 });
    await read.dispose();
    if (label !== "1") throw new Error(`mnist-digits reads ${label} with worker: ${worker}`);
  }
}

export async function train(device) {
  await decodePictures();
  await readDigit(device);
  await useDevice(device);
  manualSeed(1);
  const x = tensor([[0], [1], [2], [3]]);
  const y = tensor([[1], [3], [5], [7]]);
  const model = new Sequential(new Linear(1, 8), new ReLU(), new Linear(8, 1));
  const trainer = new Trainer({
    model,
    loss: new MSELoss(),
    optimizer: new AdamW(model.parameters(), { learningRate: 0.05 }),
  });
  await trainer.fit(new DataLoader(new TensorDataset([x, y]), { batchSize: 4 }), { epochs: 5 });
  return trainer.history.losses;
}
