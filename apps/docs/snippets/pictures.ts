import { createCollate, DataLoader, MappedDataset } from "@ai/layers/training";
import { dispose, toArray, useDevice } from "@ai/tensor";
import {
  colorJitter,
  compose,
  imageFolder,
  imageToHostTensor,
  type Picture,
  randomHorizontalFlip,
  randomResizedCrop,
  writePng,
} from "@ai/vision";

await useDevice("wasm");
const plain = (level: number): Picture => ({
  data: new Uint8Array(40 * 30 * 3).fill(level),
  width: 40,
  height: 30,
  channels: 3,
});
const files = new Map<string, Uint8Array>();
for (const [name, level] of [
  ["night", 20],
  ["day", 220],
] as const)
  for (let number = 0; number < 3; number++)
    files.set(`train/${name}/${number}.png`, await writePng(plain(level + number)));

const pictures = await imageFolder(files, { folder: "train" });
const augment = compose([
  randomResizedCrop({ width: 24, height: 24 }),
  randomHorizontalFlip(),
  colorJitter({ brightness: 0.2 }),
]);
const items = new MappedDataset(pictures, (sample, context) => {
  const { picture, label = 0 } = augment(sample, context);
  return { image: imageToHostTensor(picture, { mean: 0.5, standardDeviation: 0.5 }), label };
});
console.log(pictures.classes, pictures.length);
const collate = createCollate({ numberDtype: "int32" }); // labels as cross-entropy takes them
for await (const { image, label } of new DataLoader(items, { batchSize: 6, seed: 1, collate })) {
  console.log(image.shape, await toArray(label));
  dispose([image, label]);
}
