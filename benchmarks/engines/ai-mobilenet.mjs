import * as ai from "@ai/tensor";
import {
  MOBILENET,
  mobilenetClassifier,
  mobilenetInput,
  mobilenetLayers,
  mobilenetWeights,
} from "../workloads/mobilenet.mjs";

/** MobileNetV2 with bias and activation given to the convolution. */
export function prepareMobilenet(finish) {
  const { size, features, classes } = MOBILENET;
  const x = ai.fromValues(mobilenetInput(), [1, size, size, 3], "float32");
  const layers = mobilenetLayers().map((layer, index) => {
    const { shape, weight, bias } = mobilenetWeights(layer, index);
    return {
      ...layer,
      weight: ai.fromValues(weight, shape, "float32"),
      bias: ai.fromValues(bias, [layer.output], "float32"),
    };
  });
  const head = mobilenetClassifier();
  const matrix = ai.fromValues(head.weight, [features, classes], "float32");
  const offset = ai.fromValues(head.bias, [classes], "float32");
  const forward = () => {
    const results = [];
    let y = x;
    for (const { weight, stride, padding, groups, bias, activation, addsFrom } of layers) {
      y = ai.conv2d(y, weight, { stride, padding, groups, bias, activation });
      if (addsFrom >= 0) y = ai.add(y, results[addsFrom]);
      results.push(y);
    }
    const pooled = ai.reshape(ai.adaptiveAvgPool2d(y, { outputSize: 1 }), [1, features]);
    return ai.add(ai.matMul(pooled, matrix), offset);
  };
  return {
    run: (wanted) => finish(ai.tidy(forward), wanted),
    dispose: () => ai.dispose([x, matrix, offset, ...layers.flatMap(({ weight, bias }) => [weight, bias])]),
  };
}
