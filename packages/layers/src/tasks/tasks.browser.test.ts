import { digitCase } from "../testing/digit-case.js";
import { describeTaskInWorker } from "../testing/task-worker-cases.js";

describeTaskInWorker("loadDigitClassifier", await digitCase(), true);
