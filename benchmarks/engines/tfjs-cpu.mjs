import "@tensorflow/tfjs-backend-cpu";
import { findBackend } from "@tensorflow/tfjs-core";
import { startBackend } from "./tfjs.mjs";

export { prepare } from "./tfjs.mjs";

export const start = () => {
  findBackend("cpu").firstUse = false; // no banner
  return startBackend("cpu");
};

export const whyNot = () => undefined;
