import { memory, type Tensor, tensor, useDevice } from "@ai/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { compareVariants } from "../structure/compare-variants.js";
import { makeRun, Perceptron, weights } from "../testing/tiny-run.js";
import { batchesUntilAborted } from "./abortable-batches.js";
import {
  CrossEntropyLoss,
  DataLoader,
  evaluate,
  findLearningRate,
  overfitOneBatch,
  predict,
  predictBatches,
  SGD,
} from "./index.js";

beforeAll(() => useDevice("cpu"));

/** Pairs of which some do not come before `open` or `fail` is called. */
function slowPairs(waits: (index: number) => boolean) {
  let settle: { readonly resolve: () => void; readonly reject: (reason: Error) => void };
  let asked: () => void;
  const gate = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  gate.catch(() => undefined); // the loader hears of it
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const dataset = {
    length: 12,
    async get(index: number): Promise<Tensor[]> {
      if (waits(index)) {
        asked();
        await gate;
      }
      return [tensor([index / 12, 1 - index / 6]), tensor(index % 2, [], "int32")];
    },
  };
  return {
    loader: new DataLoader<Tensor[], Tensor[]>(dataset, { batchSize: 4 }),
    open: () => settle.resolve(),
    fail: () => settle.reject(new Error("the disk is gone")),
    isAsked,
  };
}

type Loader = DataLoader<Tensor[], Tensor[]>;

const loss = new CrossEntropyLoss();
const inFit = { loader: slowPairs(() => false).loader };

/** Everything that goes through batches, over `loader` until `signal` aborts. */
const users: readonly [string, (loader: Loader, signal: AbortSignal) => Promise<unknown>][] = [
  ["Trainer.fit", (loader, signal) => withRun(({ trainer }) => trainer.fit(loader, { epochs: 2, signal }))],
  [
    "the estimate of Trainer.fit",
    (loader, signal) => withRun(({ trainer }) => trainer.fit(loader, { epochs: 2, estimate: true, signal })),
  ],
  [
    "the validation of Trainer.fit",
    (loader, signal) =>
      withRun(({ trainer }) => trainer.fit(inFit.loader, { epochs: 2, validation: loader, signal })),
  ],
  ["Trainer.evaluate", (loader, signal) => withRun(({ trainer }) => trainer.evaluate(loader, { signal }))],
  ["evaluate", (loader, signal) => withRun(({ model }) => evaluate(model, loader, { loss, signal }))],
  ["predict", (loader, signal) => withRun(({ model }) => predict(model, loader, { signal, compute }))],
  [
    "predictBatches",
    (loader, signal) =>
      withRun(async ({ model }) => {
        for await (const _ of predictBatches(model, loader, { signal, compute }));
      }),
  ],
  [
    "findLearningRate",
    (loader, signal) => withRun(({ trainer }) => findLearningRate(trainer, loader, { signal })),
  ],
  [
    "overfitOneBatch",
    (loader, signal) => withRun(({ trainer }) => overfitOneBatch(trainer, loader, { signal })),
  ],
  [
    "compareVariants",
    (data, signal) => {
      const setup = (model: Perceptron) => ({
        data,
        trainer: { loss, optimizer: new SGD(model.parameters(), { learningRate: 0.1 }) },
      });
      return compareVariants([{ name: "one" }], { base: () => new Perceptron(), epochs: 2, setup, signal });
    },
  ],
];

const compute = ([x]: Tensor[], model: Perceptron): Tensor => model.call(x);

async function withRun<Result>(use: (run: ReturnType<typeof makeRun>) => Promise<Result>): Promise<Result> {
  const run = makeRun();
  try {
    return await use(run);
  } finally {
    run.dispose();
  }
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

describe("an abort while data is awaited", () => {
  it.each(users)("ends %s, and frees or forgets what comes later", async (name, use) => {
    for (const end of ["open", "fail"] as const) {
      const before = memory().numTensors;
      // the finder of the first batch waits for that one, the others for the second of three
      const data = slowPairs((index) => index === (name === "overfitOneBatch" ? 1 : 5));
      const controller = new AbortController();
      const ended = use(data.loader, controller.signal);
      void data.isAsked.then(pause).then(() => controller.abort(new Error("enough")));
      await expect(ended).rejects.toThrow("enough");
      data[end]();
      for (let turn = 0; turn < 5; turn++) await pause();
      expect(memory().numTensors, end).toBe(before);
    }
  });

  it("leaves a run that goes on with that very batch", async () => {
    const whole = await withRun(async ({ trainer, model }) => {
      await trainer.fit(slowPairs(() => false).loader, { epochs: 2 });
      return weights(model);
    });
    const data = slowPairs((index) => index === 5);
    const parts = await withRun(async ({ trainer, model }) => {
      const controller = new AbortController();
      const first = trainer.fit(data.loader, { epochs: 2, signal: controller.signal });
      void data.isAsked.then(pause).then(() => controller.abort(new Error("enough")));
      await expect(first).rejects.toThrow("enough");
      const second = trainer.fit(data.loader, { epochs: 2 });
      data.open(); // the batch of the first run comes while the second waits for its own
      await second;
      return weights(model);
    });
    expect(parts).toEqual(whole);
  });

  it("begins the next epoch when a loop was left, though the loader still waits", async () => {
    const data = slowPairs((index) => index === 5);
    const controller = new AbortController();
    const loop = batchesUntilAborted(data.loader, controller.signal);
    const { value } = await loop.next();
    expect(data.loader.state()).toMatchObject({ epoch: 0, position: 1 });
    for (const part of value as Tensor[]) part.dispose();
    const waiting = loop.next();
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    expect(data.loader.state()).toMatchObject({ epoch: 1, position: 0 });
    data.open();
    for (let turn = 0; turn < 5; turn++) await pause();
    expect(data.loader.state()).toMatchObject({ epoch: 1, position: 0 });
  });

  it("takes plain lists, lets errors of the source through, and ends with the loop", async () => {
    const seen: number[] = [];
    const { signal } = new AbortController();
    for await (const value of batchesUntilAborted([1, 2, 3], signal)) {
      seen.push(value);
      if (value === 2) break;
    }
    expect(seen).toEqual([1, 2]);
    let closed = 0;
    const source = async function* () {
      try {
        yield 1;
        throw new Error("no more");
      } finally {
        closed++;
      }
    };
    const all = async () => {
      for await (const value of batchesUntilAborted(source(), signal)) seen.push(value);
    };
    await expect(all()).rejects.toThrow("no more");
    for await (const _ of batchesUntilAborted(source(), signal)) break;
    expect(closed).toBe(2);
  });
});
