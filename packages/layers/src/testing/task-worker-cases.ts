import { type DeviceName, memory } from "@ai/tensor";
import { describeEachDevice, TEST_DEVICES } from "@ai/tensor/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ExplainableTask, Task, TaskLoadOptions, TaskProgress, TaskTypes } from "../tasks/index.js";
import { loadOptionsOn, type TaskCase } from "./describe-task.js";
import { expectMonotone, expectPlain, expectSentence, failureOf } from "./task-expectations.js";

/**
 * The part of the conformance suite that runs a task in a worker and beside it in this thread.
 * @param title The loader's name.
 * @param worker `true` where the test runner finds the worker's file, else what makes the worker.
 */
export function describeTaskInWorker<Types extends TaskTypes>(
  title: string,
  given: TaskCase<Types>,
  worker: Exclude<TaskLoadOptions["worker"], false | undefined>,
): void {
  const { inputs, options = {} as Types["options"], explain } = given;
  // a software GPU in a second thread costs minutes
  const devices: readonly DeviceName[] = (given.devices ?? TEST_DEVICES).filter((name) => name !== "webgpu");

  describeEachDevice(
    `${title} in a worker`,
    (device) => {
      const load = (more: TaskLoadOptions = {}): Promise<Task<Types>> =>
        given.load({ ...loadOptionsOn(device), worker, ...more });
      // a worker takes seconds to start where its modules come one by one
      let there: Task<Types>;
      const loading: TaskProgress[] = [];
      beforeAll(async () => {
        there = await load({ onProgress: (progress) => loading.push(progress) });
      });
      afterAll(() => there?.dispose());

      it("gives the very same answers, and leaves inputs and this thread's memory alone", async () => {
        const here = await load({ worker: false });
        await here(inputs[0], { ...options, batchSize: 1 }); // keeps folded filters, once
        const before = memory();
        expect(there.info).toEqual(here.info);
        expect(there.device).toEqual(here.device);
        const copies = structuredClone(inputs);
        const expected = await here(inputs, { ...options, batchSize: 2 });
        const [answers, single] = await Promise.all([
          there(inputs, { ...options, batchSize: 2 }),
          there(inputs[0], { ...options, batchSize: 1 }),
        ]);
        expect(answers).toEqual(expected);
        expect(single).toEqual(await here(inputs[0], { ...options, batchSize: 1 }));
        expectPlain(answers);
        const streamed: unknown[][] = [[], []];
        for (const [index, task] of [here, there].entries())
          for await (const one of task.stream(inputs, options)) streamed[index].push(one);
        expect(streamed[1]).toEqual(streamed[0]);
        if (explain !== undefined) {
          const [a, b] = await Promise.all(
            [here, there].map((task) =>
              (task as unknown as ExplainableTask<Types>).explain(inputs[0], explain.target, explain.options),
            ),
          );
          expect(b).toEqual(a);
        }
        expect(inputs).toEqual(copies);
        expect(memory().numTensors).toBe(before.numTensors);
        await here.dispose();
      });

      it("carries errors over as what they are, and goes on", async () => {
        const task = there;
        for (const bad of Object.values(given.badInputs)) {
          expectSentence(await failureOf(task(bad as Types["input"], options)));
          const inBatch = await failureOf(task([inputs[0], bad as Types["input"]], options));
          expectSentence(inBatch);
          expect(inBatch.message).toContain("inputs[1]");
          expectSentence(await failureOf(task.stream([bad as Types["input"]], options).next()));
        }
        const failing = (async function* (): AsyncGenerator<Types["input"]> {
          yield inputs[0];
          throw new RangeError("the camera is gone");
        })();
        const stream = task.stream(failing, options);
        await stream.next();
        expect(await failureOf(stream.next())).toMatchObject({ message: "the camera is gone" });
        expect(await task(inputs[0], options)).toBeDefined();
      });

      it("ends with its signal, before, in mid-call and while loading", async () => {
        const reason = new Error("enough");
        expect(await failureOf(load({ signal: AbortSignal.abort(reason) }))).toBe(reason);
        const begun = new AbortController();
        const onProgress = (): void => begun.abort(reason);
        expect(await failureOf(load({ signal: begun.signal, onProgress }))).toBe(reason);
        const task = there;
        const expected = await task(inputs, options);
        const controller = new AbortController();
        const aborted = task(inputs, {
          ...options,
          batchSize: 1,
          signal: controller.signal,
          onProgress: () => controller.abort(reason),
        });
        const beside = task(inputs, options);
        expect(await failureOf(aborted)).toBe(reason);
        expect(await beside).toEqual(expected);
        const streaming = new AbortController();
        const stream = task.stream(inputs, { ...options, signal: streaming.signal });
        await stream.next();
        streaming.abort(reason);
        expect(await failureOf(stream.next())).toBe(reason);
        const throwing = task(inputs, {
          ...options,
          onProgress: () => {
            throw new RangeError("no more");
          },
        });
        expect(await failureOf(throwing)).toMatchObject({ message: "no more" });
        expect(await task(inputs, options)).toEqual(expected);
      });

      it("tells how far it is as in one thread", async () => {
        const here: TaskProgress[] = [];
        const task = await load({ worker: false, onProgress: (progress) => here.push(progress) });
        await task(inputs, { ...options, batchSize: 2, onProgress: (progress) => here.push(progress) });
        await task.dispose();
        const told = [...loading];
        await there(inputs, { ...options, batchSize: 2, onProgress: (progress) => told.push(progress) });
        expectMonotone(told);
        const steps = (all: readonly TaskProgress[]): string[] =>
          all.map(({ phase, done, total }) => `${phase} ${done} of ${total}`);
        expect(steps(told)).toEqual(steps(here));
      });

      it("is disposed once, also with calls on their way, and says so afterwards", async () => {
        const task = there;
        const failed = failureOf(task(inputs, { ...options, batchSize: 1 }));
        const disposing = task.dispose();
        expectSentence(await failed);
        await disposing;
        await task.dispose();
        const error = await failureOf(task(inputs[0], options));
        expectSentence(error);
        expect(error.message).toContain("disposed");
      });
    },
    devices,
  );
}
