import { serveTasks } from "@ai/layers/tasks";

await serveTasks({
  "image-classification": async () => (await import("./image-classification.js")).imageClassification,
});
