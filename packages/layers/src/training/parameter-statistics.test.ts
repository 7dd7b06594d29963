import { dispose, manualSeed, mul, read, sum, tensor, useDevice, valueAndGrad } from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { Linear } from "../linear.js";
import { makeRun } from "../testing/tiny-run.js";
import { histogramEvent } from "./callbacks/event-file.js";
import {
  memoryStorage,
  type ParametersAtStep,
  parameterHistory,
  parameterStatistics,
  tensorBoard,
} from "./index.js";
import { statisticsOf } from "./parameter-statistics.js";

beforeAll(() => useDevice("cpu"));

describe("statisticsOf", () => {
  // numpy.histogram([-2, -1, 0, 0, 1, 4], bins=3) and its mean, std and linalg.norm
  it("is NumPy's", () => {
    const { norm, mean, std, min, max, zeros, nonFinite, histogram } = statisticsOf([-2, -1, 0, 0, 1, 4], 3);
    expect([mean, min, max, zeros, nonFinite]).toEqual([1 / 3, -2, 4, 1 / 3, 0]);
    expect(norm).toBeCloseTo(4.69041575982343, 12);
    expect(std).toBeCloseTo(1.8856180831641267, 12);
    expect(histogram).toEqual({ edges: [-2, 0, 2, 4], counts: [2, 3, 1] });
  });

  it("counts what is not finite apart, and copes with one value and with none", () => {
    expect(statisticsOf([Number.NaN, 3, Number.POSITIVE_INFINITY], 1)).toEqual({
      size: 3,
      norm: 3,
      mean: 3,
      std: 0,
      min: 3,
      max: 3,
      zeros: 0,
      nonFinite: 2,
      histogram: { edges: [2.5, 3.5], counts: [1] },
    });
    expect(statisticsOf([])).toMatchObject({ size: 0, norm: 0, mean: 0, min: 0, max: 0, zeros: 0 });
  });
});

describeEachDevice("parameterStatistics", () => {
  it("gives each parameter's numbers and gradient norm, and leaves nothing in memory", async () => {
    const model = new Linear(2, 1);
    const [weight, bias] = model.parameters();
    weight.setValue(tensor([[3, 4]]));
    bias.setValue(tensor([0]));
    bias.requiresGrad = false;
    await expectNoLeak(async () => {
      const x = tensor([[1, 2]]);
      const { value, grads } = valueAndGrad(
        () => sum(mul(model.call(x), 2)),
        model.parameters().map((parameter) => parameter.value),
      );
      const [first, second] = await parameterStatistics(model, { gradients: [grads[0], null] });
      expect(first).toMatchObject({
        path: "weight",
        shape: [1, 2],
        size: 2,
        norm: 5,
        mean: 3.5,
        std: 0.5,
        frozen: false,
      });
      expect(first.gradientNorm).toBeCloseTo(Math.sqrt(20), 6);
      expect(second).toMatchObject({ path: "bias", zeros: 1, frozen: true });
      expect(second).not.toHaveProperty("gradientNorm");
      expect(await parameterStatistics(model, { match: (path) => path === "bias" })).toHaveLength(1);
      dispose([x, value, grads]);
    });
    model.dispose();
  });
});

describe("parameterStatistics", () => {
  it("refuses what makes no sense, and ends when aborted", async () => {
    const model = new Linear(2, 1);
    await expect(parameterStatistics({} as never)).rejects.toThrow(/expected a module as model, got object/);
    await expect(parameterStatistics(model, { gradients: [] })).rejects.toThrow(
      /expected 2 gradients.*got 0/,
    );
    await expect(parameterStatistics(model, { bins: 0 })).rejects.toThrow(/bins of at least 1, got 0/);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(parameterStatistics(model, { signal })).rejects.toThrow("enough");
    model.dispose();
  });
});

describe("parameterHistory", () => {
  it("notes values, gradients and updates at some steps, and replaces steps that are repeated", async () => {
    manualSeed(3);
    const storage = memoryStorage();
    const seen: ParametersAtStep[] = [];
    const callback = () =>
      parameterHistory({
        path: "p.csv",
        everySteps: 2,
        bins: 4,
        storage,
        onStatistics: (one) => seen.push(one),
      });
    await expectNoLeak(async () => {
      const run = makeRun();
      run.model.output.parameters()[1].requiresGrad = false;
      await run.trainer.fit(run.loader, { epochs: 2, maxSteps: 4, callbacks: [callback()] });
      const saved = await run.trainer.state();
      await run.trainer.fit(run.loader, { epochs: 2, callbacks: [callback()] });
      run.trainer.loadState(saved);
      await run.trainer.fit(run.loader, { epochs: 2, callbacks: [callback()] });
      run.dispose();
    });
    const lines = new TextDecoder()
      .decode(await storage.read("p.csv"))
      .trim()
      .split("\n");
    expect(lines[0]).toBe(
      "step,parameter,size,norm,mean,std,min,max,zeros,nonFinite,gradientNorm,updateRatio",
    );
    expect(lines.slice(1).map((line) => line.split(",").slice(0, 3).join())).toEqual(
      [2, 4, 6].flatMap((step) => [
        `${step},hidden.weight,32`,
        `${step},hidden.bias,16`,
        `${step},output.weight,32`,
        `${step},output.bias,2`,
      ]),
    );
    const [first] = seen;
    expect(first.parameters[0].updateRatio).toBeGreaterThan(0.01);
    expect(first.parameters[0].gradientNorm).toBeGreaterThan(0);
    expect(first.parameters[3]).not.toHaveProperty("gradientNorm");
    expect(first.parameters[0].histogram?.counts.reduce((total, count) => total + count, 0)).toBe(32);
  });

  it("measures how far the update went", async () => {
    const seen: ParametersAtStep[] = [];
    const run = makeRun();
    const [weight] = run.model.parameters();
    const before = await read(weight.value);
    await run.trainer.fit(run.loader, {
      epochs: 1,
      maxSteps: 1,
      callbacks: [parameterHistory({ everySteps: 1, onStatistics: (one) => seen.push(one) })],
    });
    const moved = (await read(weight.value)).map((value, index) => value - before[index]);
    const ratio = Math.hypot(...moved) / Math.hypot(...before);
    expect(seen[0].parameters[0].updateRatio).toBeCloseTo(ratio, 6);
    run.dispose();
  });

  it("refuses options that make no sense", () => {
    expect(() => parameterHistory({})).toThrow(/a path or onStatistics, got neither/);
    expect(() => parameterHistory({ path: "p", everySteps: 0 })).toThrow(/everySteps of at least 1, got 0/);
    expect(() => parameterHistory({ path: "p", every: 2 } as never)).toThrow(/one named every/);
    expect(() => tensorBoard({ folder: "a", parameters: { bins: 0.5 } })).toThrow(
      /bins of at least 1, got 0.5/,
    );
  });
});

describe("tensorBoard", () => {
  // TensorBoard 2.20 in Python: Event(wall_time=1.5, step=3, summary=Summary(value=[Summary.Value(tag="w", histo=HistogramProto(…))]))
  it("encodes histograms as TensorBoard does", () => {
    const statistics = { shape: [6], ...statisticsOf([-2, -1, 0, 0, 1, 4], 3) };
    const bytes = histogramEvent(1.5, 3, [
      { tag: "w", statistics: { ...statistics, histogram: statistics.histogram! } },
    ]);
    expect([...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")).toBe(
      "09000000000000f83f10032a680a660a01772a610900000000000000c011000000000000104019000000000000184021000000000000004029000000000000364032180000000000000000000000000000004000000000000010403a1800000000000000400000000000000840000000000000f03f",
    );
  });

  it("writes what parameters do when asked", async () => {
    const storage = memoryStorage();
    const run = makeRun();
    await run.trainer.fit(run.loader, {
      epochs: 1,
      callbacks: [tensorBoard({ folder: "logs", storage, parameters: { everySteps: 3 } })],
    });
    const [name] = await storage.list("logs");
    const text = new TextDecoder("latin1").decode(await storage.read(`logs/${name}`));
    for (const tag of ["weights/hidden.weight", "gradient_norm/output.bias", "update_ratio/output.weight"])
      expect(text.split(tag)).toHaveLength(2);
    run.dispose();
  });
});
