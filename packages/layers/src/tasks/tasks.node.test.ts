import { bundleWorker } from "../../../../tooling/bundle-worker.mjs";
import { digitCase } from "../testing/digit-case.js";
import { describeTaskInWorker } from "../testing/task-worker-cases.js";

const makeWorker = await bundleWorker(new URL("../testing/digit.worker.ts", import.meta.url));

describeTaskInWorker("loadDigitClassifier", await digitCase(), makeWorker);
