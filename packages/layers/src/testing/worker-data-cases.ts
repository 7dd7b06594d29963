import { dispose, useDevice } from "@ai/tensor";
import { expectNoLeak } from "@ai/tensor/testing";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { itemContext } from "../training/data/dataset.js";
import {
  DataLoader,
  type DatasetWorker,
  loadInWorkers,
  SubsetDataset,
  type WorkerDataset,
} from "../training/index.js";

interface Item {
  readonly values: Float32Array;
  readonly random: number;
  readonly epoch: number;
  readonly name: string;
}

/** Makes workers of served-dataset.ts. */
export interface WorkerFactories {
  readonly numbers: () => DatasetWorker;
  readonly nothing: () => DatasetWorker;
  /** A worker that ends at once. */
  readonly broken: () => DatasetWorker;
}

/** Loading in worker threads, with the workers of the environment. */
export function describeWorkerDatasets(factories: WorkerFactories): void {
  describe("loadInWorkers", () => {
    let open: WorkerDataset<Item> | undefined;
    const load = async (signal?: AbortSignal): Promise<WorkerDataset<Item>> => {
      open = await loadInWorkers<Item>(factories.numbers, signal === undefined ? {} : { signal });
      return open;
    };

    beforeAll(() => useDevice("cpu"));
    afterEach(() => open?.dispose());

    it("gives items in order, whichever is ready first, and the same random numbers as without workers", async () => {
      const data = await load();
      expect(data.length).toBe(20);
      await expectNoLeak(async () => {
        const loader = new DataLoader(new SubsetDataset(data, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]), {
          batchSize: 5,
          prefetch: 2,
          seed: 7,
        });
        const names: string[] = [];
        const values: number[] = [];
        const random: number[] = [];
        for await (const batch of loader) {
          names.push(...batch.name);
          values.push(...(await batch.values.data()));
          random.push(...(await batch.random.data()));
          dispose(batch);
        }
        expect(names).toEqual(Array.from({ length: 12 }, (_, index) => `item ${index}`));
        expect(values).toEqual(Array.from({ length: 24 }, (_, index) => index));
        const expected = names.map((_, index) => Math.fround(itemContext(7, 0, index).generator.uniform()));
        expect(random).toEqual(expected);
      });
      expect((await data.get(3, itemContext(1, 5, 3))).epoch).toBe(5);
    });

    it("carries errors over, and goes on", async () => {
      const data = await load();
      const failing = data.get(13);
      await expect(failing).rejects.toThrow("item 13 is broken");
      await expect(failing).rejects.toMatchObject({ name: "RangeError" });
      await expect(data.get(14)).rejects.toThrow(/got a tensor; give \{ values, shape, dtype \}/);
      await expect(data.get(20)).rejects.toThrow(/index in \[0, 20\), got 20/);
      expect((await data.get(1)).name).toBe("item 1");
      const loader = new DataLoader(new SubsetDataset(data, [0, 13, 2]), { batchSize: 1, prefetch: 2 });
      const seen: string[] = [];
      const run = async (): Promise<void> => {
        for await (const batch of loader) {
          seen.push(...batch.name);
          dispose(batch);
        }
      };
      await expect(run()).rejects.toThrow("item 13 is broken");
      expect(seen).toEqual(["item 0"]);
      await expect(loadInWorkers(factories.nothing)).rejects.toThrow("no such file");
    });

    it("ends with its signal: what is on its way is rejected with the reason", async () => {
      const controller = new AbortController();
      const data = await load(controller.signal);
      const stuck = data.get(15);
      const other = data.get(16);
      await other;
      controller.abort(new Error("enough"));
      await expect(stuck).rejects.toThrow("enough");
      await expect(data.get(1)).rejects.toThrow("enough");
      await expect(loadInWorkers(factories.numbers, { signal: controller.signal })).rejects.toThrow("enough");
    });

    it("refuses to serve after dispose, and what makes no sense", async () => {
      const data = await load();
      const stuck = data.get(15);
      data.dispose();
      data.dispose();
      await expect(stuck).rejects.toThrow(/live workers, got ended ones/);
      await expect(data.get(1)).rejects.toThrow(/live workers, got ended ones/);
      await expect(loadInWorkers(factories.numbers, { workers: 0 })).rejects.toThrow(/workers of at least 1/);
      await expect(loadInWorkers("items.js" as never)).rejects.toThrow(/a function that makes a worker/);
      await expect(loadInWorkers(factories.numbers, { threads: 2 } as object)).rejects.toThrow(
        /named threads/,
      );
    });

    it("says that a worker ended", async () => {
      await expect(loadInWorkers(factories.broken)).rejects.toThrow(
        /a worker that serves items, got one that ended/,
      );
    });
  });
}
