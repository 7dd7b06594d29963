import { describeWorkerDatasets } from "../../testing/worker-data-cases.js";

/** Nothing can be loaded from it any more. */
const gone = URL.createObjectURL(new Blob([""], { type: "text/javascript" }));
URL.revokeObjectURL(gone);

describeWorkerDatasets({
  numbers: () =>
    new Worker(new URL("../../testing/serve-numbers.worker.ts", import.meta.url), { type: "module" }),
  nothing: () =>
    new Worker(new URL("../../testing/serve-nothing.worker.ts", import.meta.url), { type: "module" }),
  broken: () => new Worker(gone, { type: "module" }),
});
