import { serveTasks } from "../tasks/index.js";

await serveTasks({
  "digit-classification": async () => (await import("./digit-task.js")).digitClassification,
});
