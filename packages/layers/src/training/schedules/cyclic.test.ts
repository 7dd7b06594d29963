import { loadFixture } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import { ChainedScheduler, CyclicLR, type CyclicLrOptions, MultiplicativeLR } from "./index.js";

const fixture = await loadFixture(new URL("../../../fixtures/schedules.safetensors", import.meta.url));

interface Options {
  readonly learningRate: number;
  readonly momentum?: number;
  readonly betas?: readonly [number, number];
}

const optimizer = (options: Partial<Options> = {}, groups = 2) => ({
  groups: Array.from({ length: groups }, () => ({ options: { learningRate: 0.3, ...options } as Options })),
});
const CASES = {
  sgd: {
    start: { momentum: 0.7 },
    options: {
      baseLearningRate: [0.01, 0.1],
      maxLearningRate: [0.3, 0.2],
      stepsUp: 3,
      mode: "triangular2",
      baseMomentum: [0.5, 0.8],
      maxMomentum: [0.95, 0.9],
    },
  },
  adam: {
    start: { betas: [0.9, 0.999] },
    options: {
      baseLearningRate: 0.01,
      maxLearningRate: 0.3,
      stepsUp: 2,
      stepsDown: 3,
      mode: "exponentialRange",
      gamma: 0.95,
    },
  },
} as const satisfies Record<string, { start: Partial<Options>; options: CyclicLrOptions }>;

describe("CyclicLR", () => {
  it.each(["sgd", "adam"] as const)("moves rates and momenta of two groups as PyTorch: %s", (name) => {
    const { start, options } = CASES[name];
    let target = optimizer(start);
    let schedule = new CyclicLR(target, options);
    const { values, shape } = fixture.host(`momenta/${name}`);
    for (let step = 0; step < shape[0]; step++) {
      const now = target.groups.flatMap(({ options: { learningRate, momentum, betas } }) => [
        learningRate,
        betas?.[0] ?? momentum,
      ]);
      now.forEach((value, index) => {
        expect(value, `step ${step}`).toBeCloseTo(values[step * 4 + index] as number, 6);
      });
      if (step === 7) {
        const state = JSON.parse(JSON.stringify(schedule.state()));
        target = optimizer(start);
        schedule = new CyclicLR(target, options);
        schedule.loadState(state);
      }
      schedule.step();
    }
    expect(target.groups[0].options.betas?.[1]).toBe(name === "adam" ? 0.999 : undefined);
  });

  it("refuses what makes no sense, and changes nothing then", () => {
    const some = { baseLearningRate: 0.1, maxLearningRate: 1 };
    for (const [options, message] of [
      [{}, /momentum or betas, got one without; set cycleMomentum to false/],
      [{ baseLearningRate: [1] }, /baseLearningRate as a number or 2 of them, got a list of 1/],
      [{ maxLearningRate: undefined }, /maxLearningRate as a number or 2 of them, got undefined/],
      [{ maxLearningRate: -1 }, /maxLearningRate of at least 0, got -1/],
      [{ stepsUp: 0 }, /stepsUp of at least 1/],
      [{ stepsDown: 1.5 }, /integer stepsDown/],
      [{ mode: "exp_range" }, /triangular2 or exponentialRange, got exp_range/],
      [{ gamma: 0.9 }, /gamma with mode exponentialRange, got it with triangular/],
      [{ scale: 3 }, /a function as scale .* got number/],
      [{ scale: () => 1, mode: "triangular" }, /no mode beside it, got function and triangular/],
      [{ scaleBy: "step" }, /scaleBy cycle or step beside scale, got step/],
      [{ maxMomentum: 1 }, /maxMomentum in \[0, 1\), got 1/],
      [{ step_size_up: 3 }, /got one named step_size_up/],
    ] as [object, RegExp][]) {
      const target = optimizer();
      const cycleMomentum = Object.keys(options).length === 0;
      expect(() => new CyclicLR(target, { ...some, cycleMomentum, ...options })).toThrow(message);
      expect(target).toEqual(optimizer());
    }
    const scale = (): number => Number.NaN;
    expect(() => new CyclicLR(optimizer(), { ...some, cycleMomentum: false, scale })).toThrow(/finite scale/);
    const below = { ...some, cycleMomentum: false, stepsUp: 1, scale: () => -5 };
    expect(() => new CyclicLR(optimizer(), below).step()).toThrow(
      /keeps the learning rate at least 0, got -5/,
    );
    const alone = optimizer();
    const cyclic = new CyclicLR(alone, { ...some, cycleMomentum: false });
    expect(() => new ChainedScheduler(alone, { schedules: [cyclic] })).toThrow(/got CyclicLR.*use it alone/);
  });
});

describe("MultiplicativeLR", () => {
  it("gives each group its factor, and goes on from a rate that was set by hand", () => {
    const target = optimizer();
    const schedule = new MultiplicativeLR(target, { factor: (step, group) => (group === 0 ? 0.5 : step) });
    schedule.step();
    schedule.step();
    expect(schedule.learningRates).toEqual([0.075, 0.6]);
    target.groups[0].options = { learningRate: 1 };
    schedule.step();
    expect(schedule.learningRates).toEqual([0.5, 0.6 * 3]);
  });

  it("refuses a factor that is none", () => {
    expect(() => new MultiplicativeLR(optimizer(), { factor: 0.5 as never })).toThrow(/got number/);
    const schedule = new MultiplicativeLR(optimizer(), { factor: () => -1 });
    expect(() => schedule.step()).toThrow(/factor of at least 0, got -1/);
  });
});
