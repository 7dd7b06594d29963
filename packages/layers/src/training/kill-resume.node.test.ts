import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { useDevice } from "@ai/tensor";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CHILD_STEPS, trainTinyNet } from "../testing/training-child.js";
import {
  listCheckpoints,
  loadCheckpoint,
  loadLastCheckpoint,
  memoryStorage,
  type TrainingState,
} from "./index.js";

const KILLS = 20;
/** At most so many steps between two kills. */
const MOST_STEPS = 4;

let folder: string;
let script: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kill-resume-"));
  script = join(folder, "child.mjs");
  const child = fileURLToPath(new URL("../testing/training-child.ts", import.meta.url));
  await build({
    stdin: {
      contents: `import { runChild } from ${JSON.stringify(child)}; await runChild(process.argv[2]);`,
      resolveDir: fileURLToPath(new URL(".", import.meta.url)),
    },
    outfile: script,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    alias: { "@ai/tensor": fileURLToPath(new URL("../../../tensor/src/index.ts", import.meta.url)) },
    external: ["webgpu", "@tensorflow/tfjs-node", "@tensorflow/tfjs-node-gpu"],
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
    logLevel: "error",
  });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** A child that is ready to train; it starts up while another one works. */
class Child {
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  readonly #ended: Promise<void>;
  #errors = "";
  #wake: () => void = () => undefined;

  constructor(runFolder: string) {
    this.#process = spawn(process.execPath, [script, runFolder], { stdio: ["pipe", "pipe", "pipe"] });
    this.#process.stdout!.on("data", (text) => {
      this.#lines.push(
        ...String(text)
          .split("\n")
          .filter((line) => line !== ""),
      );
      this.#wake();
    });
    this.#process.stderr!.on("data", (text) => {
      this.#errors += text;
    });
    this.#ended = new Promise((resolve) => this.#process.once("close", () => resolve()));
    this.#ended.then(() => this.#wake());
  }

  /** Waits until `isReached` holds for a line. @returns false when the child ended before. */
  async until(isReached: (line: string) => boolean): Promise<boolean> {
    let ended = false;
    this.#ended.then(() => {
      ended = true;
    });
    while (!this.#lines.some(isReached)) {
      if (ended) return false;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await Promise.resolve(); // lets `ended` be set
    }
    return true;
  }

  async start(): Promise<void> {
    if (!(await this.until((line) => line === "ready")))
      throw new Error(`the child did not start: ${this.#errors}`);
    this.#process.stdin!.write("go\n");
  }

  get steps(): number {
    return this.#lines.filter((line) => line.startsWith("step")).length;
  }

  get isDone(): boolean {
    return this.#lines.includes("done");
  }

  get errors(): string {
    return this.#errors;
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#ended;
  }

  async finish(): Promise<void> {
    await this.#ended;
  }
}

/** A state without what is measured by the clock. */
function comparable({ json, ...rest }: TrainingState): unknown {
  const epochs = json.epochs.map((record) => ({ ...record, seconds: 0 }));
  return { ...rest, json: { ...json, epochs } };
}

describe("a run killed by SIGKILL", () => {
  it(`at ${KILLS} random moments leaves whole checkpoints and ends bit-identical to one that was not`, {
    timeout: 600_000,
  }, async () => {
    await useDevice("wasm");
    const storage = memoryStorage();
    await trainTinyNet({ folder: "whole", keepLast: 10_000, storage });
    const expected = new Map<string, TrainingState>();
    for (const { path } of await listCheckpoints("whole", { storage }))
      expected.set(path.slice("whole/".length), await loadCheckpoint(path, { storage }));
    expect(expected.size).toBeGreaterThan(CHILD_STEPS);

    let round = 0;
    let runFolder = join(folder, "run-0");
    let next = new Child(runFolder);
    let kills = 0;
    let isFinished = false;
    while (kills < KILLS || !isFinished) {
      const child = next;
      await child.start();
      const killsMore = kills < KILLS;
      const target = 1 + Math.floor(Math.random() * MOST_STEPS);
      if (killsMore) next = new Child(runFolder);
      const began = performance.now();
      if (killsMore) {
        await child.until(() => child.steps >= target || child.isDone);
        const perStep = (performance.now() - began) / Math.max(1, child.steps);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * perStep));
      } else await child.until((line) => line === "done");
      isFinished = child.isDone;
      if (isFinished) await child.finish();
      else if (!killsMore) throw new Error(`the child ended early: ${child.errors}`);
      else {
        await child.kill();
        kills++;
      }

      const newest = (await listCheckpoints(runFolder)).at(-1);
      const last = await loadLastCheckpoint(runFolder);
      // the newest is whole: nothing was passed over
      expect(last?.json.step, `kill ${kills}`).toBe(newest?.step);
      if (newest !== undefined && last !== undefined) {
        const name = newest.path.slice(runFolder.length + 1);
        expect(comparable(last), name).toEqual(comparable(expected.get(name)!));
      }
      if (isFinished) {
        expect(last?.json.step).toBe(CHILD_STEPS);
        expect((await readdir(runFolder)).filter((name) => !name.startsWith(".tmp-"))).toHaveLength(2);
        if (kills < KILLS) {
          await next.kill(); // it waits for a run that is over
          runFolder = join(folder, `run-${++round}`);
          next = new Child(runFolder);
          isFinished = false;
        }
      }
    }
  });
});
