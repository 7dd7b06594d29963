import { serveTasks } from "../tasks/index.js";

// no top-level await: bundlers may make a classic script of it
void serveTasks({
  "digit-classification": async () => (await import("./digit-task.js")).digitClassification,
});
