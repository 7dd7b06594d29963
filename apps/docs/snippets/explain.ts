import {
  AdaptiveAvgPool2d,
  Flatten,
  gradCam,
  integratedGradients,
  Linear,
  MaxPool2d,
  occlusion,
  Sequential,
} from "@ai/layers";
import { tensor, useDevice } from "@ai/tensor";

await useDevice("wasm");
const model = new Sequential(new MaxPool2d(2), new AdaptiveAvgPool2d(1), new Flatten(), new Linear(1, 2));
const [weight, bias] = model.parameters();
weight.setValue(tensor([[8], [-8]])); // class 0 sees what is bright
bias.setValue(tensor([0, 0]));
const image = tensor([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0], [1, 4, 4, 1]);

const map = await gradCam(model, image, { layer: "0" });
console.log(map.classes, map.shape, Math.max(...map.values.slice(0, 4)), map.values[15]);
const { values, completenessGaps } = await integratedGradients(model, image, { steps: 4 });
console.log(values[10].toFixed(3), completenessGaps[0].toFixed(3));
console.log((await occlusion(model, image, { window: 2, stride: 2 })).values[15]);
