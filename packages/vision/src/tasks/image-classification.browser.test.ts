import { describeTaskInWorker } from "@ai/layers/testing";
import { classifierCase } from "../testing/classifier-case.js";

describeTaskInWorker("loadImageClassifier", await classifierCase(), true);
