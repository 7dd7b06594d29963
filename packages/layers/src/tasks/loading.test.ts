import { InputError, memory, useDevice, WeightsError } from "@ai/tensor";
import { expectNoLeak } from "@ai/tensor/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { type DigitTypes, digitFiles, loadDigitClassifier, slowInputs } from "../testing/digit-task.js";
import { expectSentence, failureOf } from "../testing/task-expectations.js";
import type { AnyWorker } from "../worker-port.js";
import { labelsOf, type Task, type TaskLoadOptions } from "./index.js";

const device = "cpu";
const input = Float32Array.from({ length: 16 }, (_, index) => index / 16);
const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

const load = (
  model: Parameters<typeof loadDigitClassifier>[0],
  options: TaskLoadOptions & DigitTypes["loadOptions"] = {},
): Promise<Task<DigitTypes>> => loadDigitClassifier(model, { device, ...options });

beforeAll(() => useDevice(device));

describe("loadPretrained", () => {
  it("opens a list of files, a map of files and a model of ours by name, which all give the same", async () => {
    const files = Object.entries(await digitFiles());
    const chosen = files.map(([path, bytes]) => new File([bytes as Uint8Array<ArrayBuffer>], path));
    const answers = [];
    for (const model of [chosen, new Map(files), "digits-small"]) {
      const classify = await load(model);
      expect(classify.info).toEqual({ labels: ["zero", "one", "two"], std: 2 });
      answers.push(await classify(input));
      await classify.dispose();
    }
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
  });

  it("says what there is and what is nearest when a name is none", async () => {
    const error = await failureOf(load("digits-smal"));
    expectSentence(error);
    expect(error.message).toMatch(
      /got "digits-smal"; did you mean digits-small\? there is digits-small; .*owner\/name/,
    );
    expect((await failureOf(load("xyz"))).message).not.toMatch(/did you mean/);
    expect((await failureOf(load("digits-small", { revision: "main" }))).message).toMatch(
      /no revision with digits-small/,
    );
  });

  it("finds the row by model type or architecture, and says which there are", async () => {
    const files = await digitFiles();
    const config = JSON.parse(new TextDecoder().decode(files["config.json"]));
    const withConfig = (changes: object): Map<string, Uint8Array> =>
      new Map(Object.entries({ ...files, "config.json": text({ ...config, ...changes }) }));
    const other = { model_type: undefined, architectures: ["DigitNetForClassification"] };
    await (await load(withConfig(other))).dispose();
    const unknown = await failureOf(load(withConfig({ model_type: "digit_nett" })));
    expectSentence(unknown);
    expect(unknown.message).toMatch(/serves digit-classification, got digit_nett; did you mean digit_net\?/);
    expect((await failureOf(load(withConfig({ model_type: "digit_other" })))).message).toMatch(
      /a model for digit-classification, got digit_other, which is for digit-other/,
    );
    expect((await failureOf(load(withConfig({ model_type: undefined })))).message).toMatch(
      /model_type or architectures in config.json, got neither; there are digit_net/,
    );
  });

  it("refuses damaged and missing files, weights that do not fit, and leaves nothing", async () => {
    const files = await digitFiles();
    const changed = (changes: Record<string, Uint8Array | undefined>): Map<string, Uint8Array> =>
      new Map(
        Object.entries({ ...files, ...changes }).filter(
          (entry): entry is [string, Uint8Array] => entry[1] !== undefined,
        ),
      );
    const narrow = JSON.parse(new TextDecoder().decode(files["config.json"]));
    await expectNoLeak(async () => {
      const before = memory().numTensors;
      for (const [model, message] of [
        [
          changed({ "config.json": undefined }),
          /config.json in files, got none; pass its content as the option config/,
        ],
        [changed({ "config.json": new TextEncoder().encode("{") }), /config.json: expected JSON, got/],
        [changed({ "config.json": text([]) }), /expected a JSON object, got an array/],
        [
          changed({ "model.safetensors": undefined }),
          /expected model.safetensors or another file of weights, got/,
        ],
        [
          changed({ "preprocessor_config.json": text(5) }),
          /preprocessor_config.json: expected a JSON object, got number/,
        ],
      ] as const) {
        const error = await failureOf(load(model));
        expect(error).toBeInstanceOf(InputError);
        expect(error.message).toMatch(message);
      }
      const misfit = await failureOf(load(changed({ "config.json": text({ ...narrow, hidden_size: 7 }) })));
      expect(misfit).toBeInstanceOf(WeightsError);
      expect(misfit.message).toMatch(/hidden\.weight \(expected shape \[7, 16\], got \[8, 16\]\)/);
      expect(memory().numTensors).toBe(before);
    });
  });

  it("takes what is usual for the architecture where there is no preprocessing, and labels as an option", async () => {
    const files = new Map(Object.entries(await digitFiles()));
    files.delete("preprocessor_config.json");
    const classify = await load(files, { labels: ["a", "b", "c"] });
    expect(classify.info).toEqual({ labels: ["a", "b", "c"], std: 1 });
    expect(await classify.rename({ from: "b", to: "beta" })).toEqual(["a", "beta", "c"]);
    expect((await classify(input)).map(({ label }) => label).sort()).toEqual(["a", "beta", "c"]);
    expectSentence(await failureOf(classify.rename({ from: "b", to: "beta" })));
    expectSentence(await failureOf(classify.rename({ from: "a", to: "b" }, { topK: 1 } as object)));
    await classify.dispose();
    expectSentence(await failureOf(load(files, { labels: ["a"] })));
    expectSentence(await failureOf(load(files, { labels: [1 as never] })));
  });
});

describe("labelsOf", () => {
  it("reads id2label in the order of its numbers, and refuses gaps", () => {
    expect(labelsOf("load", { id2label: { 1: "b", 0: "a" } }, { count: 2 })).toEqual(["a", "b"]);
    expect(labelsOf("load", {}, { count: 2 })).toEqual(["LABEL_0", "LABEL_1"]);
    expect(() => labelsOf("load", { id2label: { 0: "a", 2: "c" } }, {})).toThrow(
      /a text for each of 0 to 1, got undefined for 1/,
    );
    expect(() => labelsOf("load", { id2label: { 0: "a" } }, { count: 2 })).toThrow(/expected 2 labels/);
  });
});

describe("a task with a stream of its own", () => {
  it("streams what it likes, and calls go on beside", async () => {
    const classify = await load("digits-small", { streams: "average" });
    const inputs = [input, input.map((value) => -value)];
    const alone = await classify(inputs, { topK: 3 });
    const mean = (label: string): number =>
      alone.reduce((sum, answers) => sum + answers.find((answer) => answer.label === label)!.score / 2, 0);
    const streamed = [];
    for await (const answer of classify.stream(inputs)) {
      streamed.push(answer);
      expect(await classify(inputs, { topK: 3 })).toEqual(alone);
    }
    expect(streamed).toHaveLength(2);
    expect(streamed[0]).toEqual(alone[0]);
    for (const { label, score } of streamed[1]) expect(score).toBeCloseTo(mean(label), 5);
    const waiting = classify.stream(
      (async function* () {
        await new Promise(() => undefined);
        yield input;
      })(),
    );
    const failed = failureOf(waiting.next());
    await classify.dispose();
    expect((await failed).message).toContain("disposed");
  });

  it("makes the next batch ready while one is computed, and ends that too when one fails", async () => {
    const classify = await load("digits-small");
    Object.assign(slowInputs, { begun: 0, most: 0 });
    const begun: number[] = [];
    const onProgress = (): void => void begun.push(slowInputs.begun);
    const inputs = ["slow:1", "slow:2", "slow:3", "slow:4"];
    expect(await classify(inputs, { batchSize: 2, onProgress })).toHaveLength(4);
    expect(begun).toEqual([4, 4]);
    Object.assign(slowInputs, { begun: 0, most: 0 });
    await classify(inputs, { batchSize: 4 });
    expect(slowInputs.most).toBe(4);
    const error = await failureOf(classify(["slow:5", "fast", "slow:60000"], { batchSize: 3 }));
    expect(error.message).toMatch(/^classify: inputs\[1\]: expected "slow:<milliseconds>", got "fast"/);
    const controller = new AbortController();
    const stuck = classify("slow:60000", { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 10);
    expect((await failureOf(stuck)).message).toBe("enough");
    await classify.dispose();
  });
});

describe("a worker that does not serve", () => {
  it("is an error that says so", async () => {
    let isEnded = false;
    const broken: AnyWorker = {
      postMessage: () => undefined,
      terminate: () => {
        isEnded = true;
      },
      addEventListener: (kind, listener) => {
        if (kind === "error") setTimeout(() => listener({ message: "no such file" }));
      },
    };
    const loading = failureOf(load("digits-small", { worker: () => broken }));
    expect(await loading).toMatchObject({
      name: "DeviceError",
      message: expect.stringMatching(/a worker that serves tasks, got one that ended \(no such file\)/),
    });
    expect(isEnded).toBe(true);
  });
});
