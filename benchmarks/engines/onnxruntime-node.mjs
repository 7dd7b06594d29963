import { availableParallelism } from "node:os";
import ort from "onnxruntime-node";
import { prepareSession } from "./onnxruntime.mjs";

export { whyNot } from "./onnxruntime.mjs";

const threads = availableParallelism();

export const start = async () => ({ description: `native, ${threads} threads` });

export const prepare = (workload) =>
  prepareSession(ort, workload, { executionProviders: ["cpu"], intraOpNumThreads: threads });
