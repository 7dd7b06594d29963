import { describeTaskInWorker } from "@ai/layers/testing";
import { readerCase } from "../testing/reader-case.js";

describeTaskInWorker("loadTextRecognizer", await readerCase(), true);
