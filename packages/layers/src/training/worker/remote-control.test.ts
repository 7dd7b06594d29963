import { useDevice } from "@ai/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { makeRun } from "../../testing/tiny-run.js";
import type { TrainingCallback } from "../index.js";
import type { TrainingEvent } from "./messages.js";
import { RemoteControl } from "./remote-control.js";

beforeAll(() => useDevice("cpu"));

describe("RemoteControl", () => {
  it("sends a step's values before it says that the run pauses after that step", async () => {
    const events: TrainingEvent[] = [];
    let paused: () => void = () => undefined;
    const isPaused = new Promise<void>((resolve) => {
      paused = resolve;
    });
    const send = (event: TrainingEvent): void => {
      events.push(event);
      if (event.kind === "paused") paused();
    };
    const control = new RemoteControl(send, new AbortController().signal, async () => undefined);
    const pauser: TrainingCallback = {
      name: "pauser",
      onGradients: (_, { trainer }) => {
        if (trainer.step === 1) control.pause(); // the second step is in progress
      },
    };
    const run = makeRun();
    const fitting = run.trainer.fit(run.loader, { epochs: 1, callbacks: [control, pauser] });
    await isPaused;
    await new Promise((resolve) => setTimeout(resolve, 5)); // nothing comes later
    const sent = events.flatMap((event): (string | number)[] =>
      event.kind === "steps" ? event.steps.map(({ step }) => step) : [event.kind],
    );
    expect(sent).toEqual(["start", 1, 2, "paused"]);
    control.resume();
    await fitting;
    expect(events.map(({ kind }) => kind).slice(-3)).toEqual(["resumed", "steps", "epoch"]);
    run.dispose();
  });
});
