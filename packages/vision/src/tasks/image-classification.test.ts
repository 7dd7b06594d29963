import { describeTask } from "@ai/layers/testing";
import { classifierCase } from "../testing/classifier-case.js";

describeTask("loadImageClassifier", await classifierCase());
