import { memory, useDevice } from "@ai/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { makeRun, weights } from "../testing/tiny-run.js";
import { overfitOneBatch, type TrainingCallback } from "./index.js";

beforeAll(() => useDevice("cpu"));

describe("a trainer that is asked for two things at once", () => {
  it("refuses the second: modes and metrics are of one", async () => {
    const before = memory().numTensors;
    const run = makeRun();
    const { trainer, loader, validation } = run;
    const alone = await trainer.evaluate(validation);
    run.model.train();
    const first = trainer.evaluate(validation);
    await expect(trainer.evaluate(validation)).rejects.toThrow(/one evaluation at a time, got a second/);
    await expect(trainer.fit(loader, { epochs: 1 })).rejects.toThrow(
      /Trainer.fit: .*no evaluation in progress/,
    );
    await expect(overfitOneBatch(trainer, loader)).rejects.toThrow(/no evaluation in progress/);
    expect(() => trainer.loadState({} as never)).toThrow(/no evaluation in progress/);
    expect(await first).toEqual(alone);
    expect(run.model.dropout.training).toBe(true);

    const rehearsal = trainer.estimate(loader, { epochs: 1 });
    await expect(trainer.evaluate(validation)).rejects.toThrow(/no Trainer.estimate in progress/);
    await rehearsal;
    const fitting = trainer.fit(loader, { epochs: 1 });
    await expect(trainer.estimate(loader, { epochs: 1 })).rejects.toThrow(/no run in progress/);
    await fitting;
    run.dispose();
    expect(memory().numTensors).toBe(before);
  });

  it("evaluates for a callback that waits, without a trace, and ends a run whose callback does not", async () => {
    const whole = makeRun();
    await whole.trainer.fit(whole.loader, { epochs: 2 });
    const run = makeRun();
    const waiting: TrainingCallback = {
      name: "waiting",
      onStepEnd: async () => void (await run.trainer.evaluate(run.validation)),
    };
    await run.trainer.fit(run.loader, { epochs: 1, callbacks: [waiting] });
    const left: Promise<unknown>[] = [];
    const leaving: TrainingCallback = {
      name: "leaving",
      onStepEnd: () => void left.push(run.trainer.evaluate(run.validation)),
    };
    await expect(run.trainer.fit(run.loader, { epochs: 2, callbacks: [leaving] })).rejects.toThrow(
      /no evaluation during a step, got one in progress; await it/,
    );
    await Promise.allSettled(left);
    await run.trainer.fit(run.loader, { epochs: 2 });
    expect(await weights(run.model)).toEqual(await weights(whole.model));
    for (const each of [whole, run]) each.dispose();
  });
});
