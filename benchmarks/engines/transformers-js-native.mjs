import { availableParallelism } from "node:os";
import * as ort from "onnxruntime-node";
import { startTransformers } from "./transformers-js.mjs";

export { prepare, whyNot } from "./transformers-js.mjs";

/** Transformers.js on the native ONNX Runtime, which it takes in Node by itself. */
export async function start() {
  const version = await startTransformers(ort);
  return { description: `Transformers.js ${version} native, ${availableParallelism()} cores` };
}
