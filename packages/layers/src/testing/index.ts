export { describeTask, type TaskCase } from "./describe-task.js";
export { failureOf } from "./task-expectations.js";
export { describeTaskInWorker } from "./task-worker-cases.js";
