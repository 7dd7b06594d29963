import * as tf from "@tensorflow/tfjs-core";
import {
  MOBILENET,
  mobilenetClassifier,
  mobilenetInput,
  mobilenetLayers,
  mobilenetWeights,
} from "../workloads/mobilenet.mjs";

/** MobileNetV2 with tfjs's fused operations, as its converted models run. */
export function prepareMobilenet(finish) {
  const { size, features, classes } = MOBILENET;
  const x = tf.tensor(mobilenetInput(), [1, size, size, 3]);
  const layers = mobilenetLayers().map((layer, index) => {
    const { shape, weight, bias } = mobilenetWeights(layer, index);
    const [height, width, inputs, outputs] = shape;
    const isDepthwise = layer.groups > 1;
    return {
      ...layer,
      isDepthwise,
      filter: tf.tensor(weight, isDepthwise ? [height, width, outputs, inputs] : shape),
      bias: tf.tensor(bias),
    };
  });
  const head = mobilenetClassifier();
  const matrix = tf.tensor(head.weight, [features, classes]);
  const offset = tf.tensor(head.bias);
  const forward = () => {
    const results = [];
    let y = x;
    for (const { isDepthwise, filter, stride, padding, bias, activation, addsFrom } of layers) {
      const options = { x: y, filter, strides: stride, pad: padding, dimRoundingMode: "floor", bias };
      const convolve = isDepthwise ? tf.fused.depthwiseConv2d : tf.fused.conv2d;
      y = convolve({ ...options, activation: activation ?? "linear" });
      if (addsFrom >= 0) y = tf.add(y, results[addsFrom]);
      results.push(y);
    }
    return tf.add(tf.matMul(tf.mean(y, [1, 2]), matrix), offset);
  };
  return {
    run: (wanted) => finish(tf.tidy(forward), wanted),
    dispose: () => tf.dispose([x, matrix, offset, ...layers.flatMap(({ filter, bias }) => [filter, bias])]),
  };
}
