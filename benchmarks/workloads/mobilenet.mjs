import { values } from "./inputs.mjs";

/** Expansion, channels, blocks and first stride of each stage: table 2 of Sandler et al. 2018, arXiv:1801.04381. */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
];
export const MOBILENET = { size: 224, classes: 1000, features: 1280 };

/**
 * The convolutions of MobileNetV2 in order, batch normalisation folded into weight and bias. `addsFrom` is the number of the
 * convolution whose result is added (−1: none). Sizes are those of the input.
 */
export function mobilenetLayers() {
  const layers = [];
  let size = MOBILENET.size;
  const add = (input, output, kernel, { stride = 1, groups = 1, activation, addsFrom = -1 } = {}) => {
    const padding = (kernel - 1) / 2;
    layers.push({ input, output, kernel, stride, groups, padding, activation, addsFrom, size });
    size = (size + 2 * padding - kernel) / stride + 1;
    size = Math.floor(size);
    return layers.length - 1;
  };
  const active = { activation: "relu6" };
  let last = add(3, 32, 3, { stride: 2, ...active });
  let channels = 32;
  for (const [expansion, output, blocks, first] of STAGES)
    for (let block = 0; block < blocks; block++) {
      const stride = block === 0 ? first : 1;
      const wide = channels * expansion;
      if (expansion > 1) add(channels, wide, 1, active);
      add(wide, wide, 3, { stride, groups: wide, ...active });
      last = add(wide, output, 1, { addsFrom: stride === 1 && channels === output ? last : -1 });
      channels = output;
    }
  add(channels, MOBILENET.features, 1, active);
  return layers;
}

/** Weight `[kernel, kernel, in/groups, out]` and bias of convolution `index`; sizes that keep activations near 1. */
export function mobilenetWeights({ input, output, kernel, groups }, index) {
  const fanIn = (kernel * kernel * input) / groups;
  const scale = Math.sqrt(24 / fanIn);
  return {
    shape: [kernel, kernel, input / groups, output],
    weight: values(fanIn * output, 3000 + 2 * index).map((value) => value * scale),
    bias: values(output, 3001 + 2 * index).map((value) => 0.1 * value),
  };
}

/** The classifier `[features, classes]` and its bias. */
export function mobilenetClassifier() {
  const { features, classes } = MOBILENET;
  return {
    weight: values(features * classes, 4000).map((value) => value * Math.sqrt(12 / features)),
    bias: values(classes, 4001).map((value) => 0.1 * value),
  };
}

/** A picture `[size, size, 3]`. */
export const mobilenetInput = () => values(MOBILENET.size ** 2 * 3, 6);
