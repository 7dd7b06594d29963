import { type DeviceName, isAiError, useDevice } from "@ai/tensor";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { StateDict } from "../state-dict.js";
import { connectTraining, type RemoteTraining, type TrainingEvent } from "../training/index.js";
import type { AnyWorker } from "../worker-port.js";
import type { TinyTrainingMethods, TinyTrainingOptions } from "./served-training.js";
import { makeRun } from "./tiny-run.js";

/** Makes workers of served-training.ts. */
export interface TrainingWorkerFactories {
  readonly tiny: () => AnyWorker;
  /** A worker that ends at once. */
  readonly broken: () => AnyWorker;
  readonly device: DeviceName;
  /** A folder that no other test has. */
  readonly folder: (name: string) => string;
}

/** More epochs than any test waits for: such a run ends when it is told to, however slow this thread is. */
const FOREVER = 1_000_000;

/** Training in workers, with the workers and the storage of the environment. */
export function describeWorkerTraining({ tiny, broken, device, folder }: TrainingWorkerFactories): void {
  let open: RemoteTraining<TinyTrainingMethods> | undefined;
  let events: TrainingEvent[] = [];
  let heard: () => void = () => undefined;
  const kinds = (): string[] => events.map(({ kind }) => kind);

  /** Connects to a new worker, whose events go to `events` and then to `onEvent`. */
  const connect = async (
    options: Omit<TinyTrainingOptions, "device"> = {},
    {
      onEvent,
      ...more
    }: {
      resume?: boolean;
      signal?: AbortSignal;
      onEvent?: (event: TrainingEvent, worker: AnyWorker) => void;
    } = {},
  ): Promise<RemoteTraining<TinyTrainingMethods>> => {
    const worker = tiny();
    const own: TrainingEvent[] = [];
    events = own;
    const note = (event: TrainingEvent): void => {
      own.push(event);
      heard();
      onEvent?.(event, worker);
    };
    open = await connectTraining<TinyTrainingMethods, TinyTrainingOptions>(worker, {
      options: { device, ...options },
      onEvent: note,
      ...more,
    });
    return open;
  };

  /** Waits until an event of a kind, and of a step where one is given, has come. */
  const until = async (kind: TrainingEvent["kind"], step = 0): Promise<void> => {
    const came = (event: TrainingEvent): boolean =>
      event.kind === kind && (step === 0 || (event as { step?: number }).step === step);
    while (!events.some(came))
      await new Promise<void>((resolve) => {
        heard = resolve;
      });
  };

  const listed = (weights: StateDict): unknown[] =>
    [...weights].map(([name, { values }]) => [name, [...values]]);
  const weightsOf = async (training: RemoteTraining<TinyTrainingMethods>): Promise<unknown[]> =>
    listed(await training.weights());

  beforeAll(() => useDevice(device));
  afterEach(() => open?.close());

  describe("connectTraining", () => {
    it("trains as the trainer does here, with events on the way, and answers meanwhile", async () => {
      const here = makeRun();
      await here.trainer.fit(here.loader, { epochs: 4, validation: here.validation });
      const training = await connect({ holdAfter: 2 });
      expect(events).toEqual([{ kind: "message", message: { text: "getting ready" } }]);
      expect(training.info).toMatchObject({
        step: 0,
        epoch: 0,
        parameters: 82,
        own: { classes: ["apart", "together"] },
      });
      expect(training.info.device.device).toBe(device);
      const fitting = training.fit({ epochs: 4, estimate: true });
      await until("steps");
      const classes = await training.call("classify", [
        [1, 1],
        [1, -1],
      ]);
      expect(classes.every((one) => one === 0 || one === 1)).toBe(true);
      await expect(training.evaluate()).rejects.toThrow(/no run in progress/);
      await training.call("release", null);
      expect(await fitting).toEqual({ outcome: "finished", step: 12, epoch: 4 });
      expect(await weightsOf(training)).toEqual(listed(await here.model.stateDict()));
      expect(training.history.losses).toEqual(here.trainer.history.losses);
      expect(training.history.epochs.map(({ values }) => values)).toEqual(
        here.trainer.history.epochs.map(({ values }) => values),
      );
      expect(await training.evaluate()).toEqual(await here.trainer.evaluate(here.validation));
      const tensors = await training.call("tensors", null);
      await training.fit({ epochs: 5 });
      await training.evaluate();
      expect(await training.call("tensors", null)).toBe(tensors);
      const steps = events.flatMap((event) => (event.kind === "steps" ? event.steps : []));
      expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 15 }, (_, index) => index + 1));
      expect(events.find(({ kind }) => kind === "start")).toMatchObject({
        epochs: 4,
        totalSteps: 12,
        stepsPerEpoch: 3,
      });
      expect(kinds().filter((kind) => kind === "epoch")).toHaveLength(5);
      here.dispose();
    });

    it("goes on from its last checkpoint after the worker was lost, to the same bits", async () => {
      const whole = makeRun();
      await whole.trainer.fit(whole.loader, { epochs: 5, validation: whole.validation });
      const expected = listed(await whole.model.stateDict());
      const place = folder("lost");
      let ended: unknown;
      const training = await connect(
        { folder: place, holdAfter: 7 },
        {
          onEvent: (event, worker) => {
            if (event.kind === "checkpoint" && event.step === 6) ended = worker.terminate();
          },
        },
      );
      // a browser does not tell that a worker was terminated
      void training.fit({ epochs: 5 }).catch(() => undefined);
      await until("checkpoint", 6);
      await ended;
      const second = await connect({ folder: place });
      expect(second.info.step).toBe(6);
      expect(second.history.losses).toHaveLength(6);
      expect(await second.fit({ epochs: 5 })).toMatchObject({ outcome: "finished", step: 15 });
      expect(await weightsOf(second)).toEqual(expected);
      expect(second.history.losses).toEqual(whole.trainer.history.losses);
      whole.dispose();
      await second.close();
      const anew = await connect({ folder: place }, { resume: false });
      expect(anew.info.step).toBe(0);
      expect(await anew.fit({ epochs: 5 })).toMatchObject({ step: 15 });
      expect(await weightsOf(anew)).toEqual(expected);
    });

    it("pauses, goes on, saves and stops, and goes on again in another worker", async () => {
      const place = folder("stopped");
      const training = await connect({ folder: place });
      const fitting = training.fit({ epochs: FOREVER });
      await until("steps");
      training.pause();
      await until("paused");
      expect(training.state).toBe("paused");
      const { step } = events.find(({ kind }) => kind === "paused") as { step: number };
      const path = await training.save();
      expect(path).toContain(`step-${String(step).padStart(10, "0")}`);
      expect(await training.call("classify", [[1, 1]])).toHaveLength(1);
      training.resume();
      await until("resumed");
      training.stop("the button");
      const end = await fitting;
      expect(end).toMatchObject({ outcome: "stopped", reason: "the button" });
      expect(training.state).toBe("idle");
      await training.close();
      const second = await connect({ folder: place });
      expect(second.info).toMatchObject({ step: end.step, epoch: end.epoch });
    });

    it("brings errors as their kinds, with the layer's name", async () => {
      await expect(connect({ fails: "making" })).rejects.toMatchObject({
        name: "InputError",
        message: "data: expected a file, got none",
      });
      await expect(connect({ fails: "tensor" })).rejects.toThrow(/plain data for the page, got a tensor/);
      const training = await connect({ fails: "layer" });
      const error = await training.fit({ epochs: 1 }).catch((reason: unknown) => reason);
      expect(isAiError(error) && error.name).toBe("ShapeError");
      expect((error as Error).message).toMatch(/^Perceptron\.hidden: /);
      await expect(training.call("broken", null)).rejects.toMatchObject({
        name: "RangeError",
        message: "no such class",
      });
      await expect(training.call("other" as never, null as never)).rejects.toThrow(
        /one of classify, tensors, release, broken, got other/,
      );
      await expect(training.fit({ epochs: 0 })).rejects.toThrow(/epochs of at least 1/);
      await expect(training.fit({ epochs: 1, rate: 2 } as never)).rejects.toThrow(/one named rate/);
      await expect(training.save()).rejects.toThrow(/expected checkpoints in the worker's setup/);
      await expect(connectTraining({} as never)).rejects.toThrow(/expected a worker, got object/);
      await expect(connectTraining(broken())).rejects.toMatchObject({ name: "DeviceError" });
    });

    it("ends a run when aborted, paused or not, when a listener throws, and when it is closed", async () => {
      let hasChart = true;
      const training = await connect(
        {},
        {
          onEvent: ({ kind }) => {
            if (kind === "epoch" && !hasChart) throw new TypeError("no chart");
          },
        },
      );
      const controller = new AbortController();
      const fitting = training.fit({ epochs: FOREVER, signal: controller.signal });
      await until("steps");
      await expect(training.fit({ epochs: 1 })).rejects.toThrow(/one run at a time/);
      training.pause();
      await until("paused");
      controller.abort(new Error("enough"));
      await expect(fitting).rejects.toThrow("enough");
      expect(training.state).toBe("idle");
      hasChart = false;
      await expect(training.fit({ epochs: FOREVER })).rejects.toThrow("no chart");
      hasChart = true;
      const last = training.fit({ epochs: FOREVER });
      const closed = expect(last).rejects.toThrow(/closed one|abort/);
      await training.close();
      await closed;
      await expect(training.evaluate()).rejects.toThrow(/expected an open worker/);
      const waiting = await connect({ stuck: true });
      for (const work of ["fit", "evaluate"] as const) {
        const own = new AbortController();
        const { signal } = own;
        const ended = work === "fit" ? waiting.fit({ epochs: 1, signal }) : waiting.evaluate({ signal });
        if (work === "fit") await until("start");
        await expect(waiting.evaluate({ rate: 1 } as never)).rejects.toThrow(
          /no option named rate|one named rate/,
        );
        own.abort(new Error("no data"));
        await expect(ended).rejects.toThrow("no data");
      }
      const rehearsing = new AbortController();
      const ended = waiting.fit({ epochs: 1, estimate: true, signal: rehearsing.signal });
      const weights = waiting.weights(); // there is no step that it could come after
      rehearsing.abort(new Error("no data"));
      await expect(ended).rejects.toThrow("no data");
      expect((await weights).size).toBe(4);
      await waiting.close();
      await expect(connect({}, { signal: AbortSignal.abort(new Error("never")) })).rejects.toThrow("never");
    });
  });
}
