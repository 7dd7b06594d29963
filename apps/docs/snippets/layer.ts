import { Linear, ReLU, Sequential } from "@ai/layers";
import { manualSeed, ones, useDevice } from "@ai/tensor";

await useDevice("wasm");
manualSeed(1);
const model = new Sequential(new Linear(4, 8), new ReLU(), new Linear(8, 2));
const scores = model.call(ones([3, 4]));
console.log(scores.shape, [...(await model.stateDict()).keys()]);
