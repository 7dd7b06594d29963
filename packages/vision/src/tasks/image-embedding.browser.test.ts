import { describeTaskInWorker } from "@ai/layers/testing";
import { embedderCase } from "../testing/embedder-case.js";

describeTaskInWorker("loadImageEmbedder", await embedderCase(), true);
