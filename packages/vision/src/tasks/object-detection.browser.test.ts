import { describeTaskInWorker } from "@ai/layers/testing";
import { detectorCase } from "../testing/detector-case.js";

describeTaskInWorker("loadObjectDetector", await detectorCase(), true);
