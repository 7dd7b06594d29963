import { type DeviceName, memory, read, type Tensor, tensor } from "@ai/tensor";
import { describeEachDevice, expectNoLeak, TEST_DEVICES } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import type { ExplainableTask, Task, TaskLoadOptions, TaskProgress, TaskTypes } from "../tasks/index.js";
import { expectClose, expectMonotone, expectPlain, expectSentence, failureOf } from "./task-expectations.js";

/** What {@link describeTask} needs of a task. */
export interface TaskCase<Types extends TaskTypes> {
  /** Loads it with a small model: as a user does, the suite's options passed on. */
  load(options: TaskLoadOptions & Record<string, unknown>): Promise<Task<Types>>;
  /** At least three inputs with different answers. */
  readonly inputs: readonly Types["input"][];
  /** By what is wrong with it: what no input is. */
  readonly badInputs: Readonly<Record<string, unknown>>;
  /** Options of the calls. Default none. */
  readonly options?: Types["options"];
  /** Options with a value that makes no sense, one each. */
  readonly badOptions?: readonly Readonly<Record<string, unknown>>[];
  /** What an explanation of the first input is asked about; left out by a task that explains nothing. */
  readonly explain?: {
    readonly target: Types["target"];
    readonly badTarget: unknown;
    readonly options?: Types["explainOptions"];
  };
  /** Devices to run on. Default those of the run. */
  readonly devices?: readonly DeviceName[];
  /** Relative difference that answers in batches and alone may have. Default 1e-5. */
  readonly tolerance?: number;
}

/** Some time in which promises and timers go on. */
export const pause = (milliseconds = 0): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Options of loading that a run of the suite has. */
export function loadOptionsOn(device: DeviceName): TaskLoadOptions {
  return { device, deviceOptions: { allowSoftwareAdapter: true } };
}

/**
 * The conformance suite of the task contract: every task of every domain runs it, on every device, and
 * `describeTaskInWorker` beside it.
 * @param title The loader's name.
 */
export function describeTask<Types extends TaskTypes>(title: string, given: TaskCase<Types>): void {
  const { inputs, options = {} as Types["options"], tolerance = 1e-5 } = given;
  const devices = given.devices ?? TEST_DEVICES;

  describeEachDevice(
    title,
    (device) => {
      const load = (more: TaskLoadOptions & Record<string, unknown> = {}): Promise<Task<Types>> =>
        given.load({ ...loadOptionsOn(device), ...more });
      /** A loaded task for one test, disposed after it. */
      const using = async (body: (task: Task<Types>) => Promise<void>): Promise<void> => {
        const task = await load();
        try {
          await body(task);
        } finally {
          await task.dispose();
        }
      };

      it("answers alike alone, in batches of any size and in a stream, in plain JSON", () =>
        using(async (task) => {
          const alone: Types["result"][] = [];
          for (const input of inputs) alone.push(await task(input, options));
          expectPlain(alone);
          const differing = alone.filter((one) => JSON.stringify(one) !== JSON.stringify(alone[0]));
          expect(differing.length, "inputs with different answers").toBeGreaterThan(0);
          for (const batchSize of [1, 2, inputs.length])
            expectClose(await task(inputs, { ...options, batchSize }), alone, tolerance);
          expect(await task([], options)).toEqual([]);
          expect(task.device.device).toBe(device);
          expectPlain(task.info);
        }));

      it("streams in order, and ends its source with the loop", () =>
        using(async (task) => {
          let isEnded = false;
          async function* source(): AsyncGenerator<Types["input"]> {
            try {
              for (const input of inputs) {
                await pause();
                yield input;
              }
            } finally {
              isEnded = true;
            }
          }
          const first: unknown[] = [];
          for await (const one of task.stream(source(), { ...options, batchSize: 2 })) first.push(one);
          expect(first.length).toBeGreaterThan(0);
          const again: unknown[] = [];
          for await (const one of task.stream(inputs, { ...options, batchSize: 2 })) again.push(one);
          expectClose(again, first, tolerance);
          expect(isEnded).toBe(true);
          isEnded = false;
          for await (const one of task.stream(source(), options)) {
            expectClose(one, first[0], tolerance);
            break;
          }
          await pause();
          expect(isEnded).toBe(true);
        }));

      it("is safe when calls overlap and the user makes tensors meanwhile", () =>
        using(async (task) => {
          const expected = await task(inputs, options);
          const before = memory().numTensors;
          const calls = inputs.map((input) => task(input, options));
          const all = task(inputs, { ...options, batchSize: 1 });
          const mine: Tensor = tensor([1, 2, 3]);
          expectClose(await Promise.all(calls), expected, tolerance);
          expectClose(await all, expected, tolerance);
          expect([...(await read(mine))]).toEqual([1, 2, 3]);
          mine.dispose();
          expect(memory().numTensors).toBe(before);
        }));

      it("ends with its signal, before and in mid-call, and goes on", () =>
        using(async (task) => {
          const expected = await task(inputs, options);
          const reason = new Error("enough");
          const early = AbortSignal.abort(reason);
          expect(await failureOf(task(inputs[0], { ...options, signal: early }))).toBe(reason);
          expect(await failureOf(load({ signal: early }))).toBe(reason);
          const before = memory().numTensors;
          const controller = new AbortController();
          const aborted = task(inputs, {
            ...options,
            batchSize: 1,
            signal: controller.signal,
            onProgress: () => controller.abort(reason),
          });
          const beside = task(inputs, options);
          expect(await failureOf(aborted)).toBe(reason);
          expectClose(await beside, expected, tolerance);
          const streamed = new AbortController();
          const stream = task.stream(inputs, { ...options, signal: streamed.signal });
          await stream.next();
          streamed.abort(reason);
          expect(await failureOf(stream.next())).toBe(reason);
          await pause();
          expect(memory().numTensors).toBe(before);
          expectClose(await task(inputs, options), expected, tolerance);
        }));

      it("ends loading with its signal, and leaves nothing", () =>
        expectNoLeak(async () => {
          const reason = new Error("enough");
          for (const phase of ["device", "load"] satisfies TaskProgress["phase"][]) {
            const controller = new AbortController();
            const onProgress = (progress: TaskProgress): void => {
              if (progress.phase === phase) controller.abort(reason);
            };
            expect(await failureOf(load({ signal: controller.signal, onProgress }))).toBe(reason);
          }
        }));

      it("frees all that it makes", async () => {
        const { explain } = given;
        await expectNoLeak(async () => {
          const task = await load();
          await task(inputs, { ...options, batchSize: 2 });
          await failureOf(task(Object.values(given.badInputs)[0] as Types["input"], options));
          if (explain !== undefined)
            await (task as unknown as ExplainableTask<Types>).explain(
              inputs[0],
              explain.target,
              explain.options,
            );
          for await (const _ of task.stream(inputs, options)) break;
          await task.dispose();
        });
        const task = await load();
        await expectNoLeak(() => task(inputs, options));
        await task.dispose();
      });

      for (const [what, bad] of Object.entries(given.badInputs))
        it(`refuses ${what}`, () =>
          using(async (task) => {
            expectSentence(await failureOf(task(bad as Types["input"], options)));
            const inBatch = await failureOf(task([inputs[0], bad as Types["input"]], options));
            expectSentence(inBatch);
            expect(inBatch.message).toContain("inputs[1]");
            const stream = task.stream([bad as Types["input"]], options);
            expectSentence(await failureOf(stream.next()));
            expect(await task(inputs[0], options)).toBeDefined();
          }));

      it("refuses unknown options and values that make no sense, and says what there is", () =>
        using(async (task) => {
          const call = task as (input: unknown, options: unknown) => Promise<unknown>;
          const unknown = await failureOf(call(inputs[0], { batchsize: 2 }));
          expectSentence(unknown);
          expect(unknown.message).toMatch(/did you mean batchSize\?.*signal/);
          for (const wrong of [
            { batchSize: 0 },
            { signal: "now" },
            { onProgress: 1 },
            null,
            5,
            ...(given.badOptions ?? []),
          ])
            expectSentence(await failureOf(call(inputs[0], wrong)));
          const loading = await failureOf(load({ devise: "cpu" }));
          expectSentence(loading);
          expect(loading.message).toMatch(/did you mean device\?.*worker/);
          expectSentence(await failureOf(load({ worker: "yes" as never })));
        }));

      it("tells how far it is, never less than before", () =>
        using(async (task) => {
          const told: TaskProgress[] = [];
          const onProgress = (progress: TaskProgress): void => {
            told.push(progress);
          };
          await task(inputs, { ...options, batchSize: 1, onProgress });
          expectMonotone(told);
          expect(told.at(-1)).toMatchObject({ phase: "work", done: inputs.length, total: inputs.length });
          const loading: TaskProgress[] = [];
          const other = await load({ onProgress: (progress) => loading.push(progress) });
          await other.dispose();
          expectMonotone(loading);
          expect(loading[0]).toMatchObject({ phase: "device" });
          expect(loading[0].message).toContain(device);
        }));

      it("is disposed once, also with calls on their way, and says so afterwards", async () => {
        const task = await load();
        const expected = await task(inputs[0], options);
        expect(expected).toBeDefined();
        const before = memory().numTensors;
        const onItsWay = task(inputs, { ...options, batchSize: 1 });
        const failed = failureOf(onItsWay);
        const disposing = task.dispose();
        expectSentence(await failed);
        await disposing;
        await task.dispose();
        expect(memory().numTensors).toBeLessThan(before);
        for (const after of [task(inputs[0], options), task.stream(inputs, options).next()]) {
          const error = await failureOf(after as Promise<unknown>);
          expectSentence(error);
          expect(error.message).toContain("disposed");
        }
      });

      const { explain } = given;
      if (explain !== undefined)
        it("explains its answers, and refuses targets that there are not", () =>
          using(async (loaded) => {
            const task = loaded as unknown as ExplainableTask<Types>;
            const told: TaskProgress[] = [];
            const explanation = await task.explain(inputs[0], explain.target, {
              ...explain.options,
              onProgress: (progress: TaskProgress) => told.push(progress),
            } as never);
            expect(structuredClone(explanation)).toEqual(explanation);
            expectMonotone(told);
            expectSentence(
              await failureOf(task.explain(inputs[0], explain.badTarget as never, explain.options)),
            );
            expectSentence(await failureOf(task.explain(inputs[0], explain.target, { unknown: 1 } as never)));
            const reason = new Error("enough");
            const signal = AbortSignal.abort(reason);
            expect(
              await failureOf(
                task.explain(inputs[0], explain.target, { ...explain.options, signal } as never),
              ),
            ).toBe(reason);
          }));
    },
    devices,
  );
}
