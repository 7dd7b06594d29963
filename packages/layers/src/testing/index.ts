export { describeTask, type TaskCase } from "./describe-task.js";
export { failureOf } from "./task-expectations.js";
