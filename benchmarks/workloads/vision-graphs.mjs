/** Networks of `@ai/vision` as ONNX graphs, channels first, with the names and values of a state dict. */
import { onnxGraph } from "../engines/onnx-model.mjs";

/** Gathers nodes and the weights that they name; each method returns the name of its result. */
export class GraphBuilder {
  #state;
  #nodes = [];
  #constants = {};

  constructor(state) {
    this.#state = state;
  }

  #node(operator, inputs, attributes) {
    const output = `v${this.#nodes.length}`;
    this.#nodes.push({ operator, inputs, output, attributes });
    return output;
  }

  #weight(name) {
    const { shape, values } = this.#state.get(name);
    this.#constants[name] = { shape, values };
    return name;
  }

  #constant(name, shape, values) {
    this.#constants[name] = { shape, values };
    return name;
  }

  /** A convolution whose filter is at `path`, and the batch norm at `norm`. */
  convNorm(x, path, norm, { stride = 1, groups = 1, epsilon = 1e-5 } = {}) {
    const filter = this.#weight(`${path}.weight`);
    const kernel = this.#constants[filter].shape[2];
    const convolved = this.#node("Conv", [x, filter], {
      strides: [stride, stride],
      pads: Array(4).fill((kernel - 1) / 2),
      kernel_shape: [kernel, kernel],
      group: groups,
    });
    const parts = ["weight", "bias", "running_mean", "running_var"].map((part) =>
      this.#weight(`${norm}.${part}`),
    );
    return this.#node("BatchNormalization", [convolved, ...parts], { epsilon: { float: epsilon } });
  }

  relu = (x) => this.#node("Relu", [x]);
  sigmoid = (x) => this.#node("Sigmoid", [x]);
  softmax = (x, axis) => this.#node("Softmax", [x], { axis });
  add = (a, b) => this.#node("Add", [a, b]);
  concat = (parts) => this.#node("Concat", parts, { axis: 1 });
  reshape = (x, shape) => this.#node("Reshape", [x, this.#constant(`shape ${shape}`, [shape.length], shape)]);
  expand = (x, shape) => this.#node("Expand", [x, this.#constant(`shape ${shape}`, [shape.length], shape)]);
  transpose = (x, perm) => this.#node("Transpose", [x], { perm });

  relu6(x) {
    const low = this.#constant("low", [], Float32Array.of(0));
    return this.#node("Clip", [x, low, this.#constant("high", [], Float32Array.of(6))]);
  }

  pool(operator, x, size, { stride = size, padding = 0, ...attributes } = {}) {
    return this.#node(operator, [x], {
      kernel_shape: [size, size],
      strides: [stride, stride],
      pads: Array(4).fill(padding),
      ...attributes,
    });
  }

  /** Channels from `start` to `end`. */
  channels(x, start, end) {
    const place = [start, end, 1].map((value) => this.#constant(`place ${value}`, [1], [value]));
    return this.#node("Slice", [x, place[0], place[1], place[2]]);
  }

  /** The mean over the picture, then a linear layer. */
  classify(x, path) {
    const pooled = this.#node("Flatten", [this.#node("GlobalAveragePool", [x])], { axis: 1 });
    return this.#node("Gemm", [pooled, this.#weight(`${path}.weight`), this.#weight(`${path}.bias`)], {
      transB: 1,
    });
  }

  /** The file; the graph's input is called `input`. */
  finish(input, inputShape, output, outputName, outputShape) {
    const nodes = this.#nodes.map((node) =>
      node.output === output ? { ...node, output: outputName } : node,
    );
    return onnxGraph({
      nodes,
      constants: this.#constants,
      inputs: { [input]: inputShape },
      output: { name: outputName, shape: outputShape },
    });
  }
}

/** Strides of MobileNetV2's 16 blocks. */
const STRIDES = [2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1];

/** MobileNetV2 with symmetric padding. */
export function mobileNetGraph(state, { size, classes, epsilon }) {
  const graph = new GraphBuilder(state);
  const channelsOf = (path) => state.get(`${path}.normalization.weight`).shape[0];
  const layer = (x, path, options = {}) =>
    graph.convNorm(x, `${path}.convolution`, `${path}.normalization`, { epsilon, ...options });
  const active = (x, path, options) => graph.relu6(layer(x, path, options));
  const filtered = (x, path, stride) =>
    active(x, `${path}.conv_3x3`, { stride, groups: channelsOf(`${path}.conv_3x3`) });
  const stem = "mobilenet_v2.conv_stem";
  let x = filtered(active("pixel_values", `${stem}.first_conv`, { stride: 2 }), stem, 1);
  x = layer(x, `${stem}.reduce_1x1`);
  let channels = channelsOf(`${stem}.reduce_1x1`);
  for (const [index, stride] of STRIDES.entries()) {
    const path = `mobilenet_v2.layer.${index}`;
    const reduced = layer(filtered(active(x, `${path}.expand_1x1`), path, stride), `${path}.reduce_1x1`);
    const width = channelsOf(`${path}.reduce_1x1`);
    x = stride === 1 && width === channels ? graph.add(x, reduced) : reduced;
    channels = width;
  }
  const scores = graph.classify(active(x, "mobilenet_v2.conv_1x1"), "classifier");
  return graph.finish("pixel_values", [1, 3, size, size], scores, "logits", [1, classes]);
}

/** ResNet9, which `cifar10-small` is. */
export function resNet9Graph(state, { size, classes }) {
  const graph = new GraphBuilder(state);
  const block = (x, path) => graph.relu(graph.convNorm(x, `${path}.conv`, `${path}.bn`));
  let x = block("pixel_values", "prep");
  for (const [stage, isResidual] of [true, false, true].entries()) {
    const path = `layer${stage + 1}`;
    const pooled = graph.pool("MaxPool", block(x, `${path}.conv`), 2);
    x = isResidual
      ? graph.add(pooled, block(block(pooled, `${path}.residual1`), `${path}.residual2`))
      : pooled;
  }
  const scores = graph.classify(x, "linear");
  return graph.finish("pixel_values", [1, 3, size, size], scores, "logits", [1, classes]);
}
