import { availableParallelism } from "node:os";
import * as ort from "onnxruntime-web";
import { prepareSession } from "./onnxruntime.mjs";

export { whyNot } from "./onnxruntime.mjs";

export const start = async () => {
  ort.env.wasm.numThreads = availableParallelism();
  return { description: `WebAssembly, ${ort.env.wasm.numThreads} threads` };
};

export const prepare = (workload) => prepareSession(ort, workload, { executionProviders: ["wasm"] });
