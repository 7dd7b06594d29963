import { useDevice } from "@ai/tensor";
import { expectNoLeak } from "@ai/tensor/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { makeRun } from "../../testing/tiny-run.js";
import {
  checkpoints,
  compareRuns,
  csvHistory,
  type EpochRecord,
  formatRuns,
  historyToCsv,
  memoryStorage,
  reportRuns,
  runRecord,
  saveCheckpoint,
  type TrainingStorage,
} from "../index.js";
import { epochsOfCsv } from "./read-run.js";

/** Three runs, each kept in another way. */
async function threeRuns(): Promise<TrainingStorage> {
  const storage = memoryStorage();
  const train = async (epochs: number, callbacks: Parameters<typeof run.trainer.fit>[1]["callbacks"]) => {
    await run.trainer.fit(run.loader, { epochs, validation: run.validation, callbacks });
    run.dispose();
  };
  let run = makeRun();
  const wide = { width: 16, optimizer: { name: "AdamW", learningRate: 0.05 }, layers: [2, 16], seed: 3 };
  await train(3, [runRecord({ folder: "runs/wide", config: wide, storage })]);
  run = makeRun();
  const narrow = { ...wide, width: 4, optimizer: { name: "AdamW", learningRate: 0.1 }, note: "<small>" };
  await train(2, [
    runRecord({ folder: "runs/more/narrow-0.1", config: narrow, storage }),
    { name: "enough", onStepEnd: ({ trainer, stop }) => void (trainer.step === 4 && stop("enough")) },
  ]);
  run = makeRun();
  await train(2, [
    csvHistory({ path: "runs/old/history.csv", storage }),
    checkpoints({ folder: "runs/old/checkpoints", storage }),
  ]);
  return storage;
}

describe("compareRuns", () => {
  let storage: TrainingStorage;
  beforeAll(async () => {
    await useDevice("cpu");
    storage = await threeRuns();
  });

  it("reads what callbacks wrote, and finds best values and differences", async () => {
    const comparison = await compareRuns("runs", { storage });
    const { runs, values, differences } = comparison;
    expect(runs.map(({ name, step, outcome, epochs }) => [name, step, outcome, epochs.length])).toEqual([
      ["more/narrow-0.1", 4, "stopped", 1],
      ["old", 6, undefined, 2],
      ["wide", 9, "finished", 3],
    ]);
    expect(runs[0].reason).toBe("enough");
    expect(runs[2].curve).toHaveLength(9);
    expect(runs[1].curve.map(({ loss }) => loss)).toEqual(runs[2].curve.slice(0, 6).map(({ loss }) => loss));
    expect(values.map(({ name, mode }) => `${name} ${mode}`)).toEqual([
      "loss min",
      "accuracy max",
      "validation.loss min",
      "validation.accuracy max",
    ]);
    const losses = runs[2].epochs.map((epoch) => epoch.values.loss);
    expect(runs[2].values.loss.best).toBe(Math.min(...losses));
    expect(runs[2].values.loss.last).toBe(losses.at(-1));
    expect(losses[runs[2].values.loss.bestEpoch - 1]).toBe(Math.min(...losses));
    expect(differences.find(({ name }) => name === "optimizer.learningRate")?.values).toEqual([
      0.1,
      undefined,
      0.05,
    ]);
    expect(differences.find(({ name }) => name === "note")?.values).toEqual([
      "<small>",
      undefined,
      undefined,
    ]);
    const two = await compareRuns(["runs/wide/", "runs/more/narrow-0.1"], {
      storage,
      modes: { loss: "max" },
    });
    expect(two.differences.map(({ name }) => name)).toEqual(["width", "optimizer.learningRate", "note"]);
    expect(two.values[0]).toMatchObject({ name: "loss", mode: "max" });
    expect(structuredClone(comparison)).toEqual(comparison);
  });

  it("reads each of several histories in a folder, and runs below a run", async () => {
    const folds = memoryStorage();
    const run = makeRun();
    const below = (name: string) => [
      csvHistory({ path: `folds/${name}.csv`, storage: folds }),
      checkpoints({ folder: `folds/${name}`, storage: folds }),
    ];
    await run.trainer.fit(run.loader, { epochs: 1, callbacks: below("one") });
    const other = makeRun();
    await other.trainer.fit(other.loader, { epochs: 2, callbacks: below("two").slice(0, 1) });
    await other.trainer.fit(other.loader, {
      epochs: 3,
      callbacks: [runRecord({ folder: "folds", config: {}, storage: folds })],
    });
    const names = async () =>
      (await compareRuns("folds", { storage: folds })).runs.map(({ name, epochs, curve }) => [
        name,
        epochs.length,
        curve.length,
      ]);
    expect(await names()).toEqual([
      ["folds", 3, 9],
      ["folds/one", 1, 3],
    ]);
    // the run's own checkpoints in a folder of any name are no run
    const saved = await other.trainer.state();
    await saveCheckpoint("folds/saved", saved, { storage: folds });
    expect((await names()).map(([name]) => name)).toEqual(["folds", "folds/one"]);
    await folds.remove("folds/saved");
    await folds.remove("folds/run.json");
    expect(await names()).toEqual([
      ["one", 1, 3],
      ["two", 2, 0],
    ]);
    run.dispose();
    other.dispose();
  });

  it("makes a table and a page that needs nothing else", async () => {
    const comparison = await compareRuns(["runs/wide", "runs/more/narrow-0.1"], { storage });
    const text = formatRuns(comparison);
    expect(text).toMatch(/^run +epochs +steps +time +loss +best/);
    expect(text).toMatch(/\nwide +3 +9 /);
    expect(text).toMatch(/optimizer.learningRate +0.05 +0.1/);
    expect(text.split("*")).toHaveLength(comparison.values.length + 1);
    const page = reportRuns(comparison, { title: "A & B" });
    expect(page).toContain("<title>A &amp; B</title>");
    expect(page).toContain("&lt;small&gt;");
    expect(page.match(/<figure>/g)).toHaveLength(3);
    expect(page).not.toMatch(/<script|https?:|<link|NaN|undefined/);
    expect(() => reportRuns(comparison, { name: "x" } as never)).toThrow(/one named name/);
  });

  it("shows losses that are not finite, and goes on with the record of a run that is resumed", async () => {
    const own = memoryStorage();
    await expectNoLeak(async () => {
      const run = makeRun();
      const record = runRecord({ folder: "r/a", storage: own });
      await run.trainer.fit(run.loader, { epochs: 1, callbacks: [record] });
      const [{ startedAt }] = (await compareRuns("r", { storage: own })).runs;
      await run.trainer.fit(run.loader, { epochs: 2, callbacks: [record] });
      const [again] = (await compareRuns("r", { storage: own })).runs;
      expect(again.startedAt).toBe(startedAt);
      expect(again.step).toBe(6);
      run.dispose();
    });
    const text = new TextDecoder().decode(await own.read("r/a/run.json"));
    const [first] = JSON.parse(text).epochs;
    await own.write(
      "r/a/run.json",
      new TextEncoder().encode(text.replace(String(first.values.loss), '{"$number":"NaN"}')),
    );
    const broken = await compareRuns("r", { storage: own });
    expect(broken.runs[0].values.loss.best).toBe(broken.runs[0].epochs[1].values.loss);
    expect(reportRuns(broken)).toContain("</html>");
  });

  it("reads back every CSV history, and no other CSV file", () => {
    const epochs: EpochRecord[] = [
      { epoch: 1, step: 3, seconds: 0.5, learningRate: 0.1, values: { 'a "b", c': 1, loss: Number.NaN } },
      { epoch: 2, step: 6, seconds: 0.25, learningRate: 0.05, values: { loss: -2e-7 } },
    ];
    expect(epochsOfCsv(historyToCsv(epochs))).toEqual(epochs);
    expect(epochsOfCsv("step,parameter\n1,weight\n")).toBeUndefined();
    expect(() => epochsOfCsv("epoch,step,seconds,learningRate,loss\n1,2,3,4,x\n")).toThrow(
      /numbers in a history, got x/,
    );
  });

  it("refuses what it cannot use, and ends when aborted", async () => {
    await expect(compareRuns("elsewhere", { storage })).rejects.toThrow(
      /expected runs in elsewhere, got none/,
    );
    await expect(compareRuns([], { storage })).rejects.toThrow(/a folder or a list of folders/);
    await expect(compareRuns("runs", { storage, modes: { loss: "low" as never } })).rejects.toThrow(
      /got low/,
    );
    await expect(compareRuns("runs", { storage, sort: "loss" } as never)).rejects.toThrow(/one named sort/);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(compareRuns("runs", { storage, signal })).rejects.toThrow("enough");
    const config = { model: new Map() } as never;
    expect(() => runRecord({ folder: "a", config })).toThrow(
      /plain JSON as config, got an object of a class at config.model/,
    );
    expect(() => runRecord({ folder: "" })).toThrow(/expected a folder/);
    const own = memoryStorage();
    await own.write("r/run.json", new TextEncoder().encode("{}"));
    await expect(compareRuns("r", { storage: own })).rejects.toThrow(/r\/run.json as runRecord wrote it/);
  });
});
