import { describeTaskInWorker } from "@ai/layers/testing";
import { bundleWorker } from "../../../../tooling/bundle-worker.mjs";
import { embedderCase } from "../testing/embedder-case.js";

const makeWorker = await bundleWorker(new URL("./tasks.worker.ts", import.meta.url));

describeTaskInWorker("loadImageEmbedder", await embedderCase(), makeWorker);
