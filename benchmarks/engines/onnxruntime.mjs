import { digest, values } from "../workloads/inputs.mjs";
import { onnxModel } from "./onnx-model.mjs";

export const whyNot = ({ kind }) => (kind === "train-cnn" ? "it does not train" : undefined);

function gemmModel({ m, k, n, batch }) {
  const lead = batch > 1 ? [batch] : [];
  return {
    operator: "MatMul",
    inputs: { a: [...lead, m, k], b: [...lead, k, n] },
    output: [...lead, m, n],
    feeds: [values(batch * m * k, 1), values(batch * k * n, 2)],
  };
}

/** Reorders channels-last values: ONNX's convolution takes channels first. */
export function channelsFirst(source, batch, positions, channels) {
  const result = new Float32Array(source.length);
  for (let item = 0; item < batch; item++)
    for (let position = 0; position < positions; position++)
      for (let channel = 0; channel < channels; channel++)
        result[(item * channels + channel) * positions + position] =
          source[(item * positions + position) * channels + channel];
  return result;
}

/** `[height, width, in, out]` to `[out, in, height, width]`. */
export function filterOutFirst(source, positions, channels, filters) {
  const result = new Float32Array(source.length);
  for (let position = 0; position < positions; position++)
    for (let channel = 0; channel < channels; channel++)
      for (let filter = 0; filter < filters; filter++)
        result[(filter * channels + channel) * positions + position] =
          source[(position * channels + channel) * filters + filter];
  return result;
}

function convModel({ batch, size, channels, filters, kernel, stride, padding }) {
  const outputSize = Math.floor((size + 2 * padding - kernel) / stride) + 1;
  return {
    operator: "Conv",
    inputs: { x: [batch, channels, size, size], filter: [filters, channels, kernel, kernel] },
    output: [batch, filters, outputSize, outputSize],
    attributes: { strides: [stride, stride], pads: [padding, padding, padding, padding] },
    feeds: [
      channelsFirst(values(batch * size * size * channels, 1), batch, size * size, channels),
      filterOutFirst(values(kernel * kernel * channels * filters, 2), kernel * kernel, channels, filters),
    ],
    toOurs: (array) => channelsFirst(array, batch, filters, outputSize * outputSize),
  };
}

const MODELS = { gemm: gemmModel, conv: convModel };

/** Prepares a workload on either build of ONNX Runtime. */
export async function prepareSession({ InferenceSession, Tensor }, workload, sessionOptions) {
  const { feeds, toOurs = (array) => array, ...model } = MODELS[workload.kind](workload);
  const session = await InferenceSession.create(onnxModel(model), sessionOptions);
  const named = Object.fromEntries(
    Object.entries(model.inputs).map(([name, shape], index) => [
      name,
      new Tensor("float32", feeds[index], shape),
    ]),
  );
  return {
    async run(wanted) {
      const { output } = await session.run(named);
      return wanted ? digest(toOurs(output.data)) : undefined;
    },
    dispose: () => session.release(),
  };
}
