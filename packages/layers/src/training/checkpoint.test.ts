import { memory } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import { makeRun, type Pair, weights } from "../testing/tiny-run.js";
import {
  checkpoints,
  earlyStopping,
  type FitOptions,
  findBestCheckpoint,
  listCheckpoints,
  loadCheckpoint,
  loadLastCheckpoint,
  memoryStorage,
  saveCheckpoint,
  type TrainingCallback,
  type TrainingStorage,
} from "./index.js";

describeEachDevice("a training state", () => {
  it("resumes bit-exactly after any step, within and between epochs", async () => {
    const before = memory().numTensors;
    const storage = memoryStorage();
    const epochs = 3;
    const whole = makeRun();
    const saveAll: TrainingCallback = checkpoints({
      folder: "run",
      everySteps: 1,
      everyEpochs: 1,
      keepLast: 100,
      storage,
    });
    const stopping = (): TrainingCallback => earlyStopping({ patience: 10 });
    const options = (): FitOptions<Pair> => ({
      epochs,
      validation: whole.validation,
      callbacks: [stopping(), saveAll],
    });
    await whole.trainer.fit(whole.loader, options());
    const expected = await weights(whole.model);
    const all = await listCheckpoints("run", { storage });
    expect(all).toHaveLength(9 + 3);
    for (const { path } of [all[0], all[2], all[3], all[5], all[9], all[11]]) {
      const part = makeRun();
      const copy = memoryStorage();
      for (const file of [
        "state.json",
        "model.safetensors",
        "optimizer.safetensors",
        "callbacks.safetensors",
        "history.f64",
      ])
        await copy.write(`${path}/${file}`, await storage.read(`${path}/${file}`));
      const { history } = await part.trainer.fit(part.loader, {
        epochs,
        validation: part.validation,
        callbacks: [stopping()],
        resumeFrom: "run",
        storage: copy,
      });
      expect(await weights(part.model), path).toEqual(expected);
      expect(history.losses).toEqual(whole.trainer.history.losses);
      const values = (run: typeof whole) => run.trainer.history.epochs.map((record) => record.values);
      expect(values(part)).toEqual(values(whole));
      part.dispose();
    }
    whole.dispose();
    expect(memory().numTensors).toBe(before);
  });
});

describe("checkpoints", () => {
  it("keeps the last checkpoints and the best", async () => {
    const storage = memoryStorage();
    const run = makeRun();
    const scores = [3, 4, 2, 1];
    const fake: TrainingCallback = {
      name: "fake",
      onEpochEnd: (record) => {
        (record.values as Record<string, number>).score = scores[record.epoch - 1];
      },
    };
    const keep = checkpoints({
      folder: "run",
      everySteps: 2,
      keepLast: 2,
      monitor: "score",
      mode: "max",
      storage,
    });
    await run.trainer.fit(run.loader, { epochs: 4, callbacks: [keep, fake] });
    expect((await listCheckpoints("run", { storage })).map(({ step, epoch }) => [step, epoch])).toEqual([
      [6, 2],
      [12, 3],
      [12, 4],
    ]);
    // large values are good: that was saved with them
    expect(await findBestCheckpoint("run", { storage })).toMatchObject({ monitored: 4, mode: "max" });
    expect((await findBestCheckpoint("run", { storage, mode: "min" })).monitored).toBe(1);
    const other = makeRun();
    await expect(
      other.trainer.fit(other.loader, { epochs: 1, callbacks: [checkpoints({ folder: "run", storage })] }),
    ).rejects.toThrow(/no later checkpoint than step 0 in run, got step 12; pass resumeFrom/);
    const state = await run.trainer.state();
    await expect(saveCheckpoint("run", state, { storage, mode: "max" })).rejects.toThrow(/monitored value/);
    run.dispose();
    other.dispose();
  });

  it("passes over checkpoints that are cut or changed", async () => {
    const storage = memoryStorage();
    const run = makeRun();
    const save = checkpoints({ folder: "run", everySteps: 1, keepLast: 3, storage });
    await run.trainer.fit(run.loader, { epochs: 3, maxSteps: 4, callbacks: [save] });
    const step = async (): Promise<number | undefined> =>
      (await loadLastCheckpoint("run", { storage }))?.json.step;
    expect(await step()).toBe(4);
    const model = "run/step-0000000004/model.safetensors";
    const bytes = await storage.read(model);
    bytes[bytes.length - 1] ^= 1;
    await storage.write(model, bytes);
    expect(await step()).toBe(3);
    await storage.write(
      "run/step-0000000003/state.json",
      (await storage.read("run/step-0000000003/state.json")).subarray(0, 40),
    );
    expect(await step()).toBe(2);
    await storage.remove("run/step-0000000002/optimizer.safetensors");
    expect(await step()).toBeUndefined();
    run.dispose();
  });

  it("neither passes over nor removes what cannot be read for a while", async () => {
    const storage = memoryStorage();
    const run = makeRun();
    const save = checkpoints({ folder: "run", storage });
    await run.trainer.fit(run.loader, { epochs: 1, callbacks: [save] });
    const [{ path }] = await listCheckpoints("run", { storage });
    for (const name of ["model.safetensors", "state.json"]) {
      const busy: TrainingStorage = {
        ...storage,
        read: async (file) => {
          if (file.endsWith(name)) throw new Error("EMFILE: too many open files");
          return storage.read(file);
        },
      };
      const other = makeRun();
      const callbacks = [checkpoints({ folder: "run", storage: busy })];
      const options = { epochs: 2, storage: busy, callbacks };
      await expect(other.trainer.fit(other.loader, { ...options, resumeFrom: "run" })).rejects.toThrow(
        /EMFILE/,
      );
      await expect(other.trainer.fit(other.loader, options)).rejects.toThrow(/EMFILE/);
      expect(other.trainer.step).toBe(0);
      other.dispose();
    }
    expect((await loadCheckpoint(path, { storage })).json.step).toBe(3);
    run.dispose();
  });
});
