import { describeTask } from "../testing/describe-task.js";
import { digitCase } from "../testing/digit-case.js";

describeTask("loadDigitClassifier", await digitCase());
