import {
  MOBILENET,
  mobilenetClassifier,
  mobilenetInput,
  mobilenetLayers,
  mobilenetWeights,
} from "../workloads/mobilenet.mjs";
import { channelsFirst, filterOutFirst } from "./onnxruntime.mjs";

/** MobileNetV2 as exporters write it: Conv with bias, ReLU6 as Clip; ONNX Runtime fuses the two. */
export function mobilenetModel() {
  const { size, features, classes } = MOBILENET;
  const head = mobilenetClassifier();
  const nodes = [];
  const constants = {
    low: { shape: [], values: Float32Array.of(0) },
    high: { shape: [], values: Float32Array.of(6) },
    flat: { shape: [2], values: [1, features] },
    matrix: { shape: [features, classes], values: head.weight },
    offset: { shape: [classes], values: head.bias },
  };
  let count = 0;
  const node = (operator, inputs, attributes) => {
    const output = `v${count++}`;
    nodes.push({ operator, inputs, output, attributes });
    return output;
  };
  const results = [];
  let y = "x";
  for (const [index, layer] of mobilenetLayers().entries()) {
    const { kernel, stride, padding, groups, input, output, activation, addsFrom } = layer;
    const { weight, bias } = mobilenetWeights(layer, index);
    constants[`weight${index}`] = {
      shape: [output, input / groups, kernel, kernel],
      values: filterOutFirst(weight, kernel * kernel, input / groups, output),
    };
    constants[`bias${index}`] = { shape: [output], values: bias };
    y = node("Conv", [y, `weight${index}`, `bias${index}`], {
      strides: [stride, stride],
      pads: [padding, padding, padding, padding],
      kernel_shape: [kernel, kernel],
      group: groups,
    });
    if (activation !== undefined) y = node("Clip", [y, "low", "high"]);
    if (addsFrom >= 0) y = node("Add", [y, results[addsFrom]]);
    results.push(y);
  }
  y = node("Reshape", [node("GlobalAveragePool", [y]), "flat"]);
  y = node("Add", [node("MatMul", [y, "matrix"]), "offset"]);
  return {
    nodes,
    constants,
    inputs: { x: [1, 3, size, size] },
    output: { name: y, shape: [1, classes] },
    feeds: [channelsFirst(mobilenetInput(), 1, size * size, 3)],
  };
}
