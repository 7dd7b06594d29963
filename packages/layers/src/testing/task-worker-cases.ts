import type { DeviceName } from "@ai/tensor";
import { describe } from "vitest";
import type { TaskTypes } from "../tasks/index.js";
import type { TaskCase } from "./describe-task.js";

/** The part of the suite that runs in a worker. */
export function describeTaskInWorker<Types extends TaskTypes>(
  title: string,
  _given: TaskCase<Types>,
  _devices: readonly DeviceName[],
): void {
  describe.todo(`${title} in a worker`);
}
