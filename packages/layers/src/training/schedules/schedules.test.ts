import { loadFixture } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import {
  CosineAnnealingLR,
  type LearningRateSchedule,
  LinearLR,
  OneCycleLR,
  type ScheduledOptimizer,
  SequentialLR,
  StepLR,
} from "./index.js";

const fixture = await loadFixture(new URL("../../../fixtures/training.safetensors", import.meta.url));
const stored: Record<string, { learningRates: number[]; momenta: number[] }> = JSON.parse(
  fixture.metadata.schedules,
);

interface SgdLike {
  learningRate: number;
  momentum: number;
  betas?: [number, number];
}

function optimizer(options: Partial<SgdLike> = {}): ScheduledOptimizer & { groups: { options: SgdLike }[] } {
  return { groups: [{ options: { learningRate: 0.3, momentum: 0.9, ...options } }] };
}

const CASES: Record<string, (target: ScheduledOptimizer) => LearningRateSchedule> = {
  linear: (o) => new LinearLR(o),
  linear_warm_up: (o) => new LinearLR(o, { startFactor: 0.01, totalIterations: 8 }),
  linear_decay: (o) => new LinearLR(o, { startFactor: 1, endFactor: 0, totalIterations: 7 }),
  step: (o) => new StepLR(o, { stepSize: 4 }),
  step_half: (o) => new StepLR(o, { stepSize: 1, gamma: 0.5 }),
  cosine: (o) => new CosineAnnealingLR(o, { totalIterations: 10, minLearningRate: 0.01 }),
  one_cycle: (o) => new OneCycleLR(o, { maxLearningRate: 1, totalSteps: 20 }),
  one_cycle_linear: (o) =>
    new OneCycleLR(o, {
      maxLearningRate: 1,
      totalSteps: 20,
      annealing: "linear",
      increasingShare: 0.4,
      threePhase: true,
      baseMomentum: 0.8,
      maxMomentum: 0.99,
      divisor: 10,
      finalDivisor: 100,
    }),
  one_cycle_adam: (o) => new OneCycleLR(o, { maxLearningRate: 0.01, totalSteps: 15 }),
  sequential: (o) =>
    new SequentialLR(o, {
      schedules: [
        new LinearLR(o, { startFactor: 0.1, totalIterations: 5 }),
        new CosineAnnealingLR(o, { totalIterations: 10 }),
      ],
      milestones: [5],
    }),
};

const target = (name: string): ReturnType<typeof optimizer> =>
  optimizer(name === "one_cycle_adam" ? { betas: [0.9, 0.999] } : {});
const momentumOf = ({ betas, momentum }: SgdLike): number => betas?.[0] ?? momentum;

describe("schedules equal PyTorch's at every step", () => {
  it("covers every stored case", () => {
    expect(Object.keys(CASES).sort()).toEqual(Object.keys(stored).sort());
  });

  it.each(Object.keys(CASES))("%s", (name) => {
    const scheduled = target(name);
    const schedule = CASES[name](scheduled);
    const { learningRates, momenta } = stored[name];
    learningRates.forEach((rate, step) => {
      const [{ options }] = scheduled.groups;
      // PyTorch multiplies from step to step, so that its roundings add up
      expect(Math.abs(options.learningRate - rate), `step ${step}`).toBeLessThanOrEqual(
        1e-12 + 1e-10 * Math.abs(rate),
      );
      expect(momentumOf(options)).toBeCloseTo(momenta[step], 12);
      schedule.step();
    });
  });

  it.each(Object.keys(CASES))("%s goes on from a saved state", (name) => {
    const first = target(name);
    const whole = CASES[name](first);
    for (let step = 0; step < 4; step++) whole.step();
    const state = JSON.parse(JSON.stringify(whole.state()));
    const second = target(name);
    const resumed = CASES[name](second);
    resumed.loadState(state);
    expect(second.groups[0].options).toEqual(first.groups[0].options);
    whole.step();
    resumed.step();
    expect(resumed.learningRates).toEqual(whole.learningRates);
    expect(second.groups[0].options).toEqual(first.groups[0].options);
  });
});

describe("schedules", () => {
  it("keep each group's own rate", () => {
    const scheduled = { groups: [{ options: { learningRate: 1 } }, { options: { learningRate: 0.1 } }] };
    const schedule = new StepLR(scheduled, { stepSize: 1, gamma: 0.5 });
    schedule.step();
    expect(schedule.learningRates).toEqual([0.5, 0.05]);
  });

  it("refuse what makes no sense", () => {
    expect(() => new LinearLR(optimizer(), { totalIterations: 0 })).toThrow(
      /totalIterations of at least 1, got 0/,
    );
    expect(() => new StepLR(optimizer(), { stepSize: 1.5 })).toThrow(/integer stepSize/);
    expect(() => new CosineAnnealingLR(optimizer(), { totalIterations: 5, minLearningRate: -1 })).toThrow(
      /minLearningRate/,
    );
    expect(() => new OneCycleLR(optimizer({ momentum: 0 }), { maxLearningRate: 1, totalSteps: 5 })).toThrow(
      /momentum or betas/,
    );
    expect(() => new OneCycleLR(optimizer(), { maxLearningRate: [1, 2], totalSteps: 5 })).toThrow(
      /expected 1 rates, got 2/,
    );
    const inner = new StepLR(optimizer(), { stepSize: 1 });
    expect(() => new SequentialLR(optimizer(), { schedules: [inner], milestones: [3] })).toThrow(
      /one milestone fewer/,
    );
    expect(
      () => new SequentialLR(optimizer(), { schedules: [inner, inner, inner], milestones: [3, 3] }),
    ).toThrow(/rising milestones/);
    expect(() => inner.loadState({ name: "LinearLR", steps: 0, initialLearningRates: [1] })).toThrow(
      /a state of StepLR/,
    );
  });

  it("end where the cycle ends", () => {
    const schedule = new OneCycleLR(optimizer(), { maxLearningRate: 1, totalSteps: 2 });
    schedule.step();
    schedule.step();
    expect(() => schedule.step()).toThrow(/at most 2 steps, got step 3/);
  });
});
