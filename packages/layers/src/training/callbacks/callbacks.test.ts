import { manualSeed, useDevice } from "@ai/tensor";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { Linear } from "../../linear.js";
import {
  csvHistory,
  DataLoader,
  formatDuration,
  type HostTensor,
  historyToCsv,
  MSELoss,
  memoryStorage,
  type ProgressOutput,
  progressBar,
  SGD,
  TensorDataset,
  Trainer,
  type TrainingCallback,
  tensorBoard,
} from "../index.js";
import { record, restartEvent, versionEvent } from "./event-file.js";

beforeAll(async () => {
  await useDevice("wasm");
});

/** A line through points: 8 steps an epoch. */
function makeRun() {
  manualSeed(1);
  const model = new Linear(1, 1);
  const optimizer = new SGD(model.parameters(), { learningRate: 0.1 });
  const line = (slope: number): HostTensor => ({
    values: Float32Array.from({ length: 32 }, (_, index) => (slope * index) / 32),
    shape: [32, 1],
    dtype: "float32",
  });
  const data = new TensorDataset([line(1), line(2)]);
  const loader = new DataLoader(data, { batchSize: 4 });
  const trainer = new Trainer({ model, optimizer, loss: new MSELoss(), maxGradientNorm: 1 });
  return {
    trainer,
    loader,
    validation: new DataLoader(data, { batchSize: 16 }),
    dispose: () => model.dispose(),
  };
}

function capture(isTerminal: boolean): ProgressOutput & { text(): string } {
  const parts: string[] = [];
  return { write: (text) => void parts.push(text), isTerminal, columns: 60, text: () => parts.join("") };
}

/** Makes each step long enough to be drawn. */
const slow: TrainingCallback = {
  name: "slow",
  onStepEnd: () => new Promise((resolve) => setTimeout(resolve, 30)),
};

describe("progressBar", () => {
  it("redraws one line on a terminal, never longer than it, and prints each epoch", async () => {
    const { trainer, loader, validation, dispose } = makeRun();
    const output = capture(true);
    const callbacks = [progressBar({ output, title: "line" }), slow];
    await trainer.fit(loader, { epochs: 2, validation, estimate: true, callbacks });
    const text = output.text();
    expect(text).toMatch(/^line: about .* s for 16 steps \(.* each\)\n/);
    const redrawn = text.split(/[\r\n]/).filter((line) => line.includes("█") || line.includes("·"));
    expect(redrawn.length).toBeGreaterThan(1);
    for (const line of redrawn) expect(line.length).toBeLessThan(60);
    expect(redrawn[0]).toMatch(/^line: epoch 1\/2 \[█*·*\] \d+\/16 {2}loss \d/);
    expect(text).toMatch(
      /line: epoch 2\/2 {2}step 16 {2}loss [\d.]+ {2}validation.loss [\d.]+ {2}[\d.]+ s\n/,
    );
    expect(text.endsWith("\n")).toBe(true);
    dispose();
  });

  it("writes plain lines elsewhere, and says how a run ended", async () => {
    const { trainer, loader, dispose } = makeRun();
    const output = capture(false);
    // a run of a quarter of a minute, however long this machine takes, has more lines
    const clock = vi.spyOn(performance, "now").mockReturnValue(0);
    await trainer.fit(loader, { epochs: 2, maxSteps: 10, callbacks: [progressBar({ output })] });
    clock.mockRestore();
    expect(output.text()).toMatch(
      /^epoch 1\/2 {2}step 8 {2}loss .*\nstopped after step 10: 10 steps are done\n$/,
    );
    expect(output.text()).not.toContain("\r");
    dispose();
  });

  it("says durations as people do", () => {
    expect([0.25, 42.4, 123, 3720].map(formatDuration)).toEqual([
      "0.3 s",
      "42 s",
      "2 min 03 s",
      "1 h 02 min",
    ]);
    expect(formatDuration(59.7)).toBe("1 min 00 s");
  });
});

describe("csvHistory and tensorBoard", () => {
  it("hold every epoch, those before a resume included", async () => {
    const storage = memoryStorage();
    const callbacks = (): TrainingCallback[] => [
      csvHistory({ path: "run/history.csv", storage }),
      tensorBoard({ folder: "run/logs", storage }),
    ];
    const first = makeRun();
    await first.trainer.fit(first.loader, { epochs: 1, callbacks: callbacks() });
    const second = makeRun();
    second.trainer.loadState(await first.trainer.state());
    await second.trainer.fit(second.loader, {
      epochs: 2,
      validation: second.validation,
      callbacks: callbacks(),
    });
    const [header, ...rows] = new TextDecoder()
      .decode(await storage.read("run/history.csv"))
      .trimEnd()
      .split("\n");
    expect(header).toBe("epoch,step,seconds,learningRate,loss,validation.loss");
    expect(rows.map((row) => row.split(",").slice(0, 2))).toEqual([
      ["1", "8"],
      ["2", "16"],
    ]);
    expect(rows[0].endsWith(",")).toBe(true); // no validation in the first epoch
    const [before, after] = await storage.list("run/logs");
    const text = async (name: string): Promise<string> =>
      new TextDecoder("latin1").decode(await storage.read(`run/logs/${name}`));
    for (const tag of ["step/loss", "step/learning_rate", "step/gradient_norm", "training/loss"])
      expect(await text(before)).toContain(tag);
    expect(await text(after)).toContain("validation/loss");
    first.dispose();
    second.dispose();
  });

  it("replaces what an earlier run wrote into the same folder", async () => {
    const storage = memoryStorage();
    const { trainer, loader, dispose } = makeRun();
    await trainer.fit(loader, { epochs: 1, callbacks: [tensorBoard({ folder: "logs", storage })] });
    const [name] = await storage.list("logs");
    const bytes = await storage.read(`logs/${name}`);
    const { length } = record(versionEvent(0));
    const restart = restartEvent(0, 1).subarray(9); // without the time
    expect(bytes.subarray(length + 12 + 9, length + 12 + 9 + restart.length)).toEqual(restart);
    dispose();
  });

  it("quotes what a table needs quoted", () => {
    const epoch = { epoch: 1, step: 2, seconds: 3, learningRate: 0.5, values: { 'a,"b"': 1 } };
    expect(historyToCsv([epoch])).toBe('epoch,step,seconds,learningRate,"a,""b"""\n1,2,3,0.5,1\n');
  });

  it("refuses options out of range", () => {
    expect(() => tensorBoard({ folder: "x", everySteps: 0 })).toThrow(/everySteps of at least 1, got 0/);
  });
});

describe("callbacks", () => {
  it("hear of every step in order, with its values", async () => {
    const { trainer, loader, dispose } = makeRun();
    const heard: number[] = [];
    const norms: (number | undefined)[] = [];
    const ends: string[] = [];
    const callback: TrainingCallback = {
      name: "listen",
      onStepValues: ({ step, gradientNorm }) => {
        heard.push(step);
        norms.push(gradientNorm);
      },
      onFitEnd: ({ outcome }) => void ends.push(outcome),
    };
    await trainer.fit(loader, { epochs: 1, callbacks: [callback] });
    expect(heard).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(norms.every((norm) => norm !== undefined && norm > 0)).toBe(true);
    expect(ends).toEqual(["finished"]);
    dispose();
  });

  it("end the run when they throw", async () => {
    const { trainer, loader, dispose } = makeRun();
    const callback: TrainingCallback = {
      name: "throw",
      onStepEnd: async () => {
        throw new TypeError("disk is full");
      },
    };
    await expect(trainer.fit(loader, { epochs: 1, callbacks: [callback] })).rejects.toThrow("disk is full");
    expect(trainer.step).toBe(1);
    dispose();
  });
});
