import * as tf from "@tensorflow/tfjs-core";
import { BERT, bertInput, bertLayer, cnnBatch, cnnWeights, digest, values } from "../workloads/inputs.mjs";
import { prepareMobilenet } from "./tfjs-mobilenet.mjs";

/** Starts a backend of tfjs that has been imported. */
export async function startBackend(name) {
  if (!(await tf.setBackend(name))) throw new Error(`tfjs: backend ${name} does not start`);
  await tf.ready();
  return { description: `tfjs ${tf.version_core} ${name}` };
}

/** Both backends have computed when an op returns: a result is read only when asked. */
async function finish(result, wanted) {
  const read = wanted ? await result.data() : undefined;
  result.dispose();
  return wanted ? digest(read) : undefined;
}

function prepareGemm({ m, k, n, batch }) {
  const a = tf.tensor(values(batch * m * k, 1), batch > 1 ? [batch, m, k] : [m, k]);
  const b = tf.tensor(values(batch * k * n, 2), batch > 1 ? [batch, k, n] : [k, n]);
  return { run: (wanted) => finish(tf.matMul(a, b), wanted), dispose: () => tf.dispose([a, b]) };
}

function prepareConv({ batch, size, channels, filters, kernel, stride, padding }) {
  const x = tf.tensor(values(batch * size * size * channels, 1), [batch, size, size, channels]);
  const filter = tf.tensor(values(kernel * kernel * channels * filters, 2), [
    kernel,
    kernel,
    channels,
    filters,
  ]);
  const pads = [
    [0, 0],
    [padding, padding],
    [padding, padding],
    [0, 0],
  ];
  return {
    run: (wanted) => finish(tf.conv2d(x, filter, stride, pads), wanted),
    dispose: () => tf.dispose([x, filter]),
  };
}

function lossOf(images, labels, [filter1, bias1, filter2, bias2, weight3, bias3, weight4, bias4]) {
  const first = tf.maxPool(tf.relu(tf.add(tf.conv2d(images, filter1, 1, "valid"), bias1)), 2, 2, "valid");
  const second = tf.maxPool(tf.relu(tf.add(tf.conv2d(first, filter2, 1, "valid"), bias2)), 2, 2, "valid");
  const hidden = tf.relu(tf.add(tf.matMul(tf.reshape(second, [images.shape[0], 1600]), weight3), bias3));
  return tf.losses.softmaxCrossEntropy(labels, tf.add(tf.matMul(hidden, weight4), bias4));
}

/** tfjs-core has no gradients in Node until tfjs-layers registers them. */
async function prepareTraining({ batch, learningRate }) {
  await import("@tensorflow/tfjs-layers");
  const { images, labels } = cnnBatch(batch);
  const x = tf.tensor(images, [batch, 28, 28, 1]);
  const y = tf.oneHot(tf.tensor1d(labels, "int32"), 10);
  const variables = cnnWeights().map((weight) => tf.variable(tf.tensor(weight.values, weight.shape)));
  const optimizer = tf.train.sgd(learningRate);
  return {
    // The loss that is compared is that of the second step: it depends on every gradient of the first.
    async run(wanted) {
      if (wanted) await this.run(false);
      const loss = optimizer.minimize(() => lossOf(x, y, variables), true, variables);
      return finish(loss, wanted);
    },
    dispose: () => tf.dispose([x, y, ...variables]),
  };
}

/** tfjs has no fused attention, layer norm or GELU: composed as its users do. x `[length, dim]` */
function encoderLayer(x, weights) {
  const { dim, heads, length, epsilon } = BERT;
  const linear = (input, name) => tf.add(tf.matMul(input, weights[name]), weights[`${name}Bias`]);
  const headsOf = (name) =>
    tf.transpose(tf.reshape(linear(x, name), [length, heads, dim / heads]), [1, 0, 2]);
  const norm = (input, name) => {
    const mean = tf.mean(input, 1, true);
    const centred = tf.sub(input, mean);
    const variance = tf.mean(tf.square(centred), 1, true);
    const scaled = tf.mul(centred, tf.rsqrt(tf.add(variance, epsilon)));
    return tf.add(tf.mul(scaled, weights[name]), weights[`${name}Bias`]);
  };
  const scores = tf.mul(tf.matMul(headsOf("query"), headsOf("key"), false, true), Math.sqrt(heads / dim));
  const mixed = tf.matMul(tf.softmax(scores), headsOf("value"));
  const merged = tf.reshape(tf.transpose(mixed, [1, 0, 2]), [length, dim]);
  const first = norm(tf.add(x, linear(merged, "output")), "norm1");
  const up = linear(first, "up");
  const gelu = tf.mul(tf.mul(up, 0.5), tf.add(tf.erf(tf.mul(up, Math.SQRT1_2)), 1));
  return norm(tf.add(first, linear(gelu, "down")), "norm2");
}

function prepareBert() {
  const x = tf.tensor(bertInput(), [BERT.length, BERT.dim]);
  const weights = Array.from({ length: BERT.layers }, (_, index) =>
    Object.fromEntries(
      Object.entries(bertLayer(index)).map(([name, weight]) => [
        name,
        tf.tensor(weight.values, weight.shape),
      ]),
    ),
  );
  return {
    run: (wanted) =>
      finish(
        tf.tidy(() => weights.reduce((hidden, layer) => encoderLayer(hidden, layer), x)),
        wanted,
      ),
    dispose: () => tf.dispose([x, ...weights.flatMap((layer) => Object.values(layer))]),
  };
}

/** A thousand ops on 8×8 matrices, each with its result freed. */
function prepareTiny({ op }) {
  const [a, b] = [1, 2].map((seed) => tf.tensor(values(64, seed), [8, 8]));
  const compute = {
    add: () => tf.add(a, b),
    relu: () => tf.relu(a),
    matMul: () => tf.matMul(a, b),
    slice: () => tf.slice(a, [1, 2], [4, 4]),
    softmax: () => tf.softmax(a),
  }[op];
  return {
    async run(wanted) {
      for (let i = 0; i < 999; i++) compute().dispose();
      return finish(compute(), wanted);
    },
    dispose: () => tf.dispose([a, b]),
  };
}

const KINDS = {
  tiny: prepareTiny,
  gemm: prepareGemm,
  conv: prepareConv,
  bert: prepareBert,
  mobilenet: () => prepareMobilenet(finish),
  "train-cnn": prepareTraining,
};

export const isKnown = ({ kind }) => kind in KINDS;

export const prepare = async (workload) => KINDS[workload.kind](workload);
