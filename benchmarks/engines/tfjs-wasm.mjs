import "@tensorflow/tfjs-backend-wasm";
import { startBackend } from "./tfjs.mjs";

export { prepare } from "./tfjs.mjs";

export const start = () => startBackend("wasm");

export const whyNot = ({ kind }) =>
  kind === "train-cnn" ? "it has no gradient of a convolution's filter" : undefined;
