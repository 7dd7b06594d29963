import type { TaskCase } from "./describe-task.js";
import { type DigitTypes, digitFiles, loadDigitClassifier } from "./digit-task.js";

/** What the suite needs of the test's task. */
export async function digitCase(): Promise<TaskCase<DigitTypes>> {
  const files = new Map(Object.entries(await digitFiles()));
  return {
    load: (options) => loadDigitClassifier(files, options),
    inputs: [0, 1, 2, 3, 4].map((seed) =>
      Float32Array.from({ length: 16 }, (_, index) => Math.sin(seed * 7 + index * (seed + 1))),
    ),
    badInputs: {
      "a number": 5,
      null: null,
      "too few numbers": new Float32Array(3),
      "another text": "fast",
    },
    badOptions: [{ topK: 0 }, { topK: 1.5 }, { threshold: 2 }, { activation: "relu" }],
    explain: { target: "two", badTarget: "ten", options: { scale: 2 } },
  };
}
