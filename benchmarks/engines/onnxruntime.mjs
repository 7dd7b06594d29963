import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { digest, values } from "../workloads/inputs.mjs";
import { visionInput } from "../workloads/vision-inputs.mjs";
import { bertModel } from "./onnx-bert.mjs";
import { mobilenetModel } from "./onnx-mobilenet.mjs";
import { onnxGraph } from "./onnx-model.mjs";

export const whyNot = ({ kind }) => {
  if (kind.startsWith("train-")) return "it does not train";
  return kind in MODELS || kind === "forward-picture" ? undefined : `its engine here has no ${kind}`;
};

/** A right-hand matrix that stays the same is a constant of the graph, so that the library may pack it beforehand. */
function gemmModel({ m, k, n, batch }) {
  const lead = batch > 1 ? [batch] : [];
  const a = values(batch * m * k, 1);
  const b = { shape: [...lead, k, n], values: values(batch * k * n, 2) };
  const inputs = { a: [...lead, m, k], ...(batch > 1 ? { b: b.shape } : {}) };
  return {
    nodes: [{ operator: "MatMul", inputs: ["a", "b"], output: "output" }],
    inputs,
    constants: batch > 1 ? {} : { b },
    output: { name: "output", shape: [...lead, m, n] },
    feeds: batch > 1 ? [a, b.values] : [a],
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
    nodes: [
      {
        operator: "Conv",
        inputs: ["x", "filter"],
        output: "output",
        attributes: { strides: [stride, stride], pads: [padding, padding, padding, padding] },
      },
    ],
    inputs: { x: [batch, channels, size, size] },
    constants: {
      filter: {
        shape: [filters, channels, kernel, kernel],
        values: filterOutFirst(
          values(kernel * kernel * channels * filters, 2),
          kernel * kernel,
          channels,
          filters,
        ),
      },
    },
    output: { name: "output", shape: [batch, filters, outputSize, outputSize] },
    feeds: [channelsFirst(values(batch * size * size * channels, 1), batch, size * size, channels)],
    toOurs: (array) => channelsFirst(array, batch, filters, outputSize * outputSize),
  };
}

const MODELS = { gemm: gemmModel, conv: convModel, bert: bertModel, mobilenet: mobilenetModel };

/** A network of workloads/vision-files.mjs; what it gives is channels first and becomes channels last. */
async function pictureModel({ folder, model, size }) {
  return {
    graph: await readFile(join(folder, "theirs", model, "onnx", "model.onnx")),
    inputs: { pixel_values: [1, 3, size, size] },
    feeds: [channelsFirst(visionInput(size), 1, size * size, 3)],
    toOurs: (array, [batch, channels]) =>
      channelsFirst(array, batch, channels, array.length / (batch * channels)),
  };
}

/** Prepares a workload on either build of ONNX Runtime. */
export async function prepareSession({ InferenceSession, Tensor }, workload, sessionOptions) {
  const isPicture = workload.kind === "forward-picture";
  const {
    feeds,
    toOurs = (array) => array,
    ...model
  } = isPicture ? await pictureModel(workload) : MODELS[workload.kind](workload);
  const session = await InferenceSession.create(model.graph ?? onnxGraph(model), sessionOptions);
  const named = Object.fromEntries(
    Object.entries(model.inputs).map(([name, shape], index) => [
      name,
      new Tensor("float32", feeds[index], shape),
    ]),
  );
  return {
    async run(wanted) {
      const [output] = Object.values(await session.run(named));
      return wanted ? digest(toOurs(output.data, output.dims)) : undefined;
    },
    dispose: () => session.release(),
  };
}
