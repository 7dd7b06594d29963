import * as ai from "@ai/tensor";
import { cnnBatch, cnnWeights, digest, values } from "../workloads/inputs.mjs";
import { prepareMobilenet } from "./ai-mobilenet.mjs";
import { prepareBert, prepareLstmTraining } from "./ai-models.mjs";

/** Whether results must be awaited: on a GPU an op returns before its work is done. */
let isGpu = false;

export async function start(device, relaxedSimd) {
  const about = await ai.useDevice(device, relaxedSimd === "relaxed" ? { relaxedSimd: true } : {});
  isGpu = device === "webgpu" || device === "cuda";
  return {
    threads: about.threads,
    description: `${about.device} (${about.hardware}, threads: ${about.threads}, ${about.features.join(", ")})`,
  };
}

export const whyNot = () => undefined;

/** The result is read when asked, and always on a GPU. */
async function finish(result, wanted) {
  const values = wanted || isGpu ? await ai.read(result) : undefined;
  result.dispose();
  return wanted ? digest(values) : undefined;
}

function prepareGemm({ m, k, n, batch }) {
  const a = ai.fromValues(values(batch * m * k, 1), batch > 1 ? [batch, m, k] : [m, k], "float32");
  const b = ai.fromValues(values(batch * k * n, 2), batch > 1 ? [batch, k, n] : [k, n], "float32");
  return { run: (wanted) => finish(ai.matMul(a, b), wanted), dispose: () => ai.dispose([a, b]) };
}

function prepareConv({ batch, size, channels, filters, kernel, stride, padding }) {
  const x = ai.fromValues(
    values(batch * size * size * channels, 1),
    [batch, size, size, channels],
    "float32",
  );
  const filter = ai.fromValues(
    values(kernel * kernel * channels * filters, 2),
    [kernel, kernel, channels, filters],
    "float32",
  );
  return {
    run: (wanted) => finish(ai.conv2d(x, filter, { stride, padding }), wanted),
    dispose: () => ai.dispose([x, filter]),
  };
}

function lossOf(images, labels, [filter1, bias1, filter2, bias2, weight3, bias3, weight4, bias4]) {
  const first = ai.maxPool2d(ai.conv2d(images, filter1, { bias: bias1, activation: "relu" }), {
    kernelSize: 2,
  });
  const second = ai.maxPool2d(ai.conv2d(first, filter2, { bias: bias2, activation: "relu" }), {
    kernelSize: 2,
  });
  const hidden = ai.relu(ai.add(ai.matMul(ai.reshape(second, [images.shape[0], 1600]), weight3), bias3));
  return ai.crossEntropy(ai.add(ai.matMul(hidden, weight4), bias4), labels);
}

function prepareTraining({ batch, learningRate }) {
  const { images, labels } = cnnBatch(batch);
  const x = ai.fromValues(images, [batch, 28, 28, 1], "float32");
  const y = ai.fromValues(labels, [batch], "int32");
  let weights = cnnWeights().map((weight) => ai.fromValues(weight.values, weight.shape, "float32"));
  return {
    // The loss that is compared is that of the second step: it depends on every gradient of the first.
    async run(wanted) {
      if (wanted) await this.run(false);
      const { value, grads } = ai.valueAndGrad((...parameters) => lossOf(x, y, parameters), weights);
      const updated = weights.map((weight, index) =>
        ai.tidy(() => ai.sub(weight, ai.mul(grads[index], learningRate))),
      );
      ai.dispose([...weights, ...grads]);
      weights = updated;
      return finish(value, wanted);
    },
    dispose: () => ai.dispose([x, y, ...weights]),
  };
}

/** A thousand ops on 8×8 matrices, each with its result freed. */
function prepareTiny({ op }) {
  const [a, b] = [1, 2].map((seed) => ai.fromValues(values(64, seed), [8, 8], "float32"));
  const compute = {
    add: () => ai.add(a, b),
    relu: () => ai.relu(a),
    matMul: () => ai.matMul(a, b),
    slice: () => ai.slice(a, [1, 2], [4, 4]),
    softmax: () => ai.softmax(a),
  }[op];
  return {
    async run(wanted) {
      for (let i = 0; i < 999; i++) compute().dispose();
      return finish(compute(), wanted);
    },
    dispose: () => ai.dispose([a, b]),
  };
}

const KINDS = {
  tiny: prepareTiny,
  gemm: prepareGemm,
  conv: prepareConv,
  bert: () => prepareBert(finish),
  mobilenet: () => prepareMobilenet(finish),
  "train-cnn": prepareTraining,
  "train-lstm": (workload) => prepareLstmTraining(workload, finish),
};

export async function prepare(workload) {
  if (workload.kind in KINDS) return KINDS[workload.kind](workload);
  const { VISION_KINDS } = await import("./ai-vision.mjs");
  return VISION_KINDS[workload.kind](workload, finish);
}
