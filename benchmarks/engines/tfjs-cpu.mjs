import "@tensorflow/tfjs-backend-cpu";
import { findBackend } from "@tensorflow/tfjs-core";
import { isKnown, startBackend } from "./tfjs.mjs";

export { prepare } from "./tfjs.mjs";

export const start = () => {
  findBackend("cpu").firstUse = false; // no banner
  return startBackend("cpu");
};

export const whyNot = (workload) =>
  isKnown(workload) ? undefined : `its engine here has no ${workload.kind}`;
