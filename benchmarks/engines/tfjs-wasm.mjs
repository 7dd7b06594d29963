import "@tensorflow/tfjs-backend-wasm";
import { isKnown, startBackend } from "./tfjs.mjs";

export { prepare } from "./tfjs.mjs";

export const start = () => startBackend("wasm");

export const whyNot = (workload) => {
  if (workload.kind.startsWith("train-"))
    return "it has no gradient of a convolution's filter, nor of a step back in time";
  return isKnown(workload) ? undefined : `its engine here has no ${workload.kind}`;
};
