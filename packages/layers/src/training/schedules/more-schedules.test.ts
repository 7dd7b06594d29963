import { loadFixture } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import {
  ChainedScheduler,
  ConstantLR,
  CosineAnnealingLR,
  CosineAnnealingWarmRestarts,
  CyclicLR,
  type CyclicLrOptions,
  ExponentialLR,
  InverseSquareRootLR,
  LambdaLR,
  type LearningRateSchedule,
  LinearLR,
  MultiplicativeLR,
  MultiStepLR,
  OneCycleLR,
  PolynomialLR,
  ReduceLROnPlateau,
  type ScheduledOptimizer,
  type ScheduleState,
  SequentialLR,
  StepLR,
  SWALR,
} from "./index.js";

const fixture = await loadFixture(new URL("../../../fixtures/schedules.safetensors", import.meta.url));
const monitored = [...fixture.host("plateau_values").values];

function optimizer(
  learningRate = 0.3,
): ScheduledOptimizer & { groups: { options: { learningRate: number } }[] } {
  return { groups: [{ options: { learningRate } }] };
}

const falling = (step: number): number => 1 - 0.1 * (step % 3);
const cyclic = (o: ScheduledOptimizer, options: Partial<CyclicLrOptions>): CyclicLR =>
  new CyclicLR(o, { baseLearningRate: 0.05, maxLearningRate: 0.35, cycleMomentum: false, ...options });

const CASES: Readonly<Record<string, (target: ScheduledOptimizer) => LearningRateSchedule>> = {
  multi_step: (o) => new MultiStepLR(o, { milestones: [2, 5, 5, 9] }),
  exponential: (o) => new ExponentialLR(o, { gamma: 0.9 }),
  constant: (o) => new ConstantLR(o),
  constant_half: (o) => new ConstantLR(o, { factor: 0.5, totalIterations: 3 }),
  polynomial: (o) => new PolynomialLR(o),
  polynomial_square: (o) => new PolynomialLR(o, { totalIterations: 10, power: 2 }),
  inverse: (o) => new InverseSquareRootLR(o, { warmUpSteps: 4 }),
  inverse_scale: (o) => new InverseSquareRootLR(o, { warmUpSteps: 3, timeScale: 20 }),
  lambda: (o) => new LambdaLR(o, { factor: (step) => 1 / (1 + step) }),
  restarts: (o) => new CosineAnnealingWarmRestarts(o, { firstIterations: 4 }),
  restarts_longer: (o) =>
    new CosineAnnealingWarmRestarts(o, { firstIterations: 3, periodFactor: 2, minLearningRate: 0.02 }),
  chained: (o) =>
    new ChainedScheduler(o, {
      schedules: [
        new ConstantLR(o, { factor: 0.1, totalIterations: 4 }),
        new ExponentialLR(o, { gamma: 0.9 }),
      ],
    }),
  sequential: (o) =>
    new SequentialLR(o, {
      schedules: [
        new ConstantLR(o, { factor: 0.1, totalIterations: 2 }),
        new ExponentialLR(o, { gamma: 0.9 }),
        new StepLR(o, { stepSize: 2 }),
      ],
      milestones: [2, 6],
    }),
  swa: (o) => new SWALR(o, { swaLearningRate: 0.05, annealingSteps: 4 }),
  swa_at_once: (o) => new SWALR(o, { swaLearningRate: 0.05, annealingSteps: 0 }),
  swa_after: (o) =>
    new SWALR(o, {
      swaLearningRate: 0.05,
      annealingSteps: 3,
      annealing: "linear",
      before: new CosineAnnealingLR(o, { totalIterations: 10 }),
      startStep: 5,
    }),
  chained_lowest: (o) =>
    new ChainedScheduler(o, {
      schedules: [
        new LinearLR(o, { startFactor: 0.5, totalIterations: 4 }),
        new CosineAnnealingLR(o, { totalIterations: 4, minLearningRate: 0.1 }),
      ],
    }),
  multiplicative: (o) => new MultiplicativeLR(o, { factor: falling }),
  cyclic: (o) => cyclic(o, { stepsUp: 4 }),
  cyclic_halved: (o) => cyclic(o, { stepsUp: 2, stepsDown: 5, mode: "triangular2" }),
  cyclic_range: (o) => cyclic(o, { stepsUp: 3, mode: "exponentialRange", gamma: 0.9 }),
  cyclic_own: (o) => cyclic(o, { stepsUp: 3, stepsDown: 1, scale: (cycle) => 1 / cycle }),
  cyclic_own_step: (o) => cyclic(o, { stepsUp: 3, scale: (step) => 0.5 + (step % 5), scaleBy: "step" }),
  sequential_cyclic: (o) =>
    new SequentialLR(o, {
      schedules: [
        new LinearLR(o, { startFactor: 0.5, totalIterations: 3 }),
        cyclic(o, { stepsUp: 2 }),
        new ExponentialLR(o, { gamma: 0.9 }),
      ],
      milestones: [3, 9],
    }),
  sequential_cyclic_first: (o) =>
    new SequentialLR(o, {
      schedules: [cyclic(o, { stepsUp: 2 }), new ExponentialLR(o, { gamma: 0.9 })],
      milestones: [5],
    }),
  sequential_multiplicative: (o) =>
    new SequentialLR(o, {
      schedules: [
        new ExponentialLR(o, { gamma: 0.9 }),
        new MultiplicativeLR(o, { factor: (step) => 0.8 + 0.1 * (step % 3) }),
      ],
      milestones: [4],
    }),
  plateau: (o) => new ReduceLROnPlateau(o, { patience: 1 }),
  plateau_cooldown: (o) =>
    new ReduceLROnPlateau(o, { patience: 0, cooldown: 2, factor: 0.5, minLearningRate: 0.06 }),
  plateau_max: (o) =>
    new ReduceLROnPlateau(o, {
      mode: "max",
      patience: 2,
      threshold: 0.5,
      thresholdMode: "absolute",
      factor: 0.7,
    }),
  plateau_relative: (o) => new ReduceLROnPlateau(o, { mode: "max", patience: 3, threshold: 0.2 }),
};

/** Schedules side by side on one optimizer, and which of them go on after a step. */
interface Together {
  readonly make: (target: ScheduledOptimizer) => LearningRateSchedule[];
  readonly goesOn?: (step: number, index: number) => boolean;
}

const TOGETHER: Readonly<Record<string, Together>> = {
  together_factors: {
    make: (o) => [
      new ConstantLR(o, { factor: 0.5, totalIterations: 3 }),
      new PolynomialLR(o, { totalIterations: 9, power: 2 }),
      new StepLR(o, { stepSize: 2, gamma: 0.5 }),
      new MultiStepLR(o, { milestones: [3, 3, 6], gamma: 0.2 }),
      new ExponentialLR(o, { gamma: 0.9 }),
    ],
  },
  together_multiplicative: {
    make: (o) => [new MultiplicativeLR(o, { factor: falling }), new ExponentialLR(o, { gamma: 0.9 })],
  },
  together_cosine: {
    make: (o) => [
      new LinearLR(o, { startFactor: 0.1, totalIterations: 4 }),
      new CosineAnnealingLR(o, { totalIterations: 5, minLearningRate: 0.02 }),
    ],
    goesOn: (step, index) => index === 0 || step % 2 === 0,
  },
  together_plateau: {
    make: (o) => [
      new LinearLR(o, { startFactor: 0.25, totalIterations: 8 }),
      new ReduceLROnPlateau(o, { factor: 0.5, patience: 1 }),
    ],
  },
  together_swa: {
    make: (o) => [
      new CosineAnnealingLR(o, { totalIterations: 10 }),
      new SWALR(o, { swaLearningRate: 0.05, annealingSteps: 3 }),
    ],
    goesOn: (step, index) => step >= 5 === (index === 1),
  },
};

describe("schedules side by side equal PyTorch's at every step, also on from a saved state", () => {
  it.each(Object.keys(TOGETHER))("%s", (name) => {
    const { make, goesOn = () => true } = TOGETHER[name];
    let target = optimizer();
    let schedules = make(target);
    [...fixture.host(name).values].forEach((rate, step) => {
      const { learningRate } = target.groups[0].options;
      expect(Math.abs(learningRate - rate), `step ${step}`).toBeLessThanOrEqual(1e-9 + 2e-7 * rate);
      if (step === 6) {
        const states = schedules.map((schedule) => JSON.parse(JSON.stringify(schedule.state())));
        target = optimizer();
        schedules = make(target);
        schedules.forEach((schedule, index) => {
          schedule.loadState(states[index]);
        });
        expect(target.groups[0].options.learningRate).toBe(learningRate);
      }
      schedules.forEach((schedule, index) => {
        if (goesOn(step, index)) schedule.step(monitored[step]);
      });
    });
  });
});

describe("schedules equal PyTorch's at every step", () => {
  it("covers every stored case", () => {
    const stored = fixture.names.filter((name) => name !== "plateau_values" && !name.startsWith("momenta/"));
    expect([...Object.keys(CASES), ...Object.keys(TOGETHER)].sort()).toEqual([...stored].sort());
  });

  it.each(Object.keys(CASES))("%s", (name) => {
    const target = optimizer();
    const schedule = CASES[name](target);
    const rates = [...fixture.host(name).values];
    rates.forEach((rate, step) => {
      const { learningRate } = target.groups[0].options;
      // the fixture is read as float32
      expect(Math.abs(learningRate - rate), `step ${step}`).toBeLessThanOrEqual(1e-9 + 1e-7 * rate);
      schedule.step(monitored[step]);
    });
    if (name !== "swa_at_once") expect(new Set(rates).size).toBeGreaterThan(1);
  });

  it.each(Object.keys(CASES))("%s goes on from a saved state", (name) => {
    const first = optimizer();
    const whole = CASES[name](first);
    for (let step = 0; step < 5; step++) whole.step(monitored[step]);
    const state = JSON.parse(JSON.stringify(whole.state()));
    const second = optimizer();
    const resumed = CASES[name](second);
    resumed.loadState(state);
    expect(resumed.learningRates).toEqual(whole.learningRates);
    for (let step = 5; step < 12; step++) {
      whole.step(monitored[step]);
      resumed.step(monitored[step]);
      expect(resumed.learningRates).toEqual(whole.learningRates);
    }
    expect(resumed.state()).toEqual(whole.state());
  });
});

describe("schedules", () => {
  it("multiply what does not chain, each between its lowest rate and what the one before gives", () => {
    const target = optimizer(1);
    const schedule = new ChainedScheduler(target, {
      schedules: [
        new LambdaLR(target, { factor: (step) => (step + 2) / 4 }),
        new CosineAnnealingLR(target, { totalIterations: 4, minLearningRate: 0.1 }),
      ],
    });
    schedule.step();
    expect(schedule.learningRates[0]).toBeCloseTo(0.1 + ((0.75 - 0.1) * (1 + Math.SQRT1_2)) / 2, 12);
  });

  it("go on from a rate that was set by hand, and a chain from those of before it", () => {
    const target = optimizer(1);
    const exponential = new ExponentialLR(target, { gamma: 0.5 });
    exponential.step();
    target.groups[0].options = { learningRate: 0.1 };
    exponential.step();
    expect(exponential.learningRates).toEqual([0.05]);
    const inner = (): LearningRateSchedule =>
      new ChainedScheduler(target, { schedules: [new ConstantLR(target, { factor: 0.5 })] });
    const chain = new ChainedScheduler(target, { schedules: [inner(), new StepLR(target, { stepSize: 1 })] });
    expect(chain.learningRates).toEqual([0.025]);
    chain.step();
    expect(chain.learningRates[0]).toBeCloseTo(0.0025, 12);
  });

  it("that do not chain refuse to undo what another one did, unless they come after", () => {
    const target = optimizer(1);
    const lambda = new LambdaLR(target, { factor: () => 0.5 });
    const exponential = new ExponentialLR(target, { gamma: 0.5 });
    lambda.step();
    exponential.step();
    expect(() => lambda.step()).toThrow(
      /^LambdaLR.step: expected one schedule .* those of ExponentialLR; put both in a ChainedScheduler/,
    );
    expect(lambda.steps).toBe(1);
    expect(lambda.learningRates).toEqual([0.25]);
    const late = new CosineAnnealingWarmRestarts(target, { firstIterations: 2 });
    late.step(); // made when the other had moved: it takes over
    expect(late.learningRates[0]).toBeCloseTo(0.5, 12);
    // another optimizer is another matter
    new LambdaLR(optimizer(), { factor: () => 1 }).step();
  });

  it("fall to a lowest rate of each group on a plateau", () => {
    const groups = [0.3, 0.3].map((learningRate) => ({ options: { learningRate } }));
    const options = { factor: 0.5, patience: 0, minLearningRate: [0.1, 0] };
    const schedule = new ReduceLROnPlateau({ groups }, options);
    const rates = [1, 1, 1, 1].map((value) => {
      schedule.step(value);
      return schedule.learningRates;
    });
    // torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, min_lr=[0.1, 0])
    expect(rates).toEqual([
      [0.3, 0.3],
      [0.15, 0.15],
      [0.1, 0.075],
      [0.1, 0.0375],
    ]);
    for (const minLearningRate of [[0.1], [0.1, -1], "x", null] as never[])
      expect(() => new ReduceLROnPlateau({ groups }, { minLearningRate })).toThrow(/minLearningRate/);
  });

  it("refuse what makes no sense", () => {
    const o = optimizer();
    expect(() => new MultiStepLR(o, { milestones: [3, 2] })).toThrow(/rising milestones .* got 3,2/);
    expect(() => new MultiStepLR(o, { milestones: 3 as never })).toThrow(/rising milestones/);
    expect(() => new ExponentialLR(o, { gamma: -1 })).toThrow(/gamma of at least 0, got -1/);
    expect(() => new ExponentialLR(o, undefined as never)).toThrow(
      /expected options \{ gamma \}, got undefined/,
    );
    expect(() => new ConstantLR(o, { totalIterations: 0 })).toThrow(/totalIterations of at least 1/);
    expect(() => new PolynomialLR(o, { power: -1 })).toThrow(/power of at least 0/);
    expect(() => new InverseSquareRootLR(o, { warmUpSteps: 0 })).toThrow(/warmUpSteps of at least 1/);
    expect(() => new InverseSquareRootLR(o, { warmUpSteps: 2, timeScale: 0 })).toThrow(/timeScale above 0/);
    expect(() => new LambdaLR(o, { factor: 3 as never })).toThrow(/a function as factor, got number/);
    expect(() => new LambdaLR(o, { factor: () => Number.NaN })).toThrow(/finite factor/);
    expect(() => new CosineAnnealingWarmRestarts(o, { firstIterations: 2, periodFactor: 1.5 })).toThrow(
      /integer periodFactor/,
    );
    expect(() => new ChainedScheduler(o, { schedules: [] })).toThrow(/expected schedules, got none/);
    expect(() => new ChainedScheduler(o, { schedules: [{}] as never })).toThrow(/an array of schedules/);
    const swa = { swaLearningRate: 0.1 };
    expect(() => new SWALR(o, { swaLearningRate: [0.1, 0.2] })).toThrow(/one swaLearningRate or 1, got 2/);
    expect(() => new SWALR(o, { swaLearningRate: -1 })).toThrow(/swaLearningRate of at least 0/);
    expect(() => new SWALR(o, { ...swa, annealingSteps: -1 })).toThrow(/annealingSteps of at least 0/);
    expect(() => new SWALR(o, { ...swa, annealing: "cos" as never })).toThrow(/cosine or linear, got cos/);
    expect(() => new SWALR(o, { ...swa, before: new ExponentialLR(o, { gamma: 1 }) })).toThrow(/startStep/);
    const plateau = new ReduceLROnPlateau(o);
    expect(() => new SWALR(o, { ...swa, before: plateau, startStep: 1 })).toThrow(/depends on the step/);
    expect(() => new ChainedScheduler(o, { schedules: [plateau] })).toThrow(/use it alone/);
    expect(() => new SequentialLR(o, { schedules: [plateau], milestones: [] })).toThrow(/use it alone/);
    expect(() => plateau.step()).toThrow(/the value of validation.loss, got undefined/);
    expect(() => new ReduceLROnPlateau(o, { factor: 1 })).toThrow(/factor in \[0, 1\), got 1/);
    expect(() => new ReduceLROnPlateau(o, { patience: -1 })).toThrow(/patience of at least 0/);
    expect(() => new ReduceLROnPlateau(o, { mode: "low" as never })).toThrow(/mode min or max, got low/);
    expect(() => new ReduceLROnPlateau(o, { thresholdMode: "rel" as never })).toThrow(/relative or absolute/);
  });

  it("refuse options that do not exist", () => {
    const o = optimizer();
    const junk = { milestones: [1], gamma: 1, totalIterations: 3, T_max: 3 } as never;
    const all = [ChainedScheduler, ConstantLR, CosineAnnealingLR, CosineAnnealingWarmRestarts, CyclicLR];
    const others = [
      ExponentialLR,
      MultiplicativeLR,
      InverseSquareRootLR,
      LambdaLR,
      LinearLR,
      MultiStepLR,
      OneCycleLR,
      PolynomialLR,
    ];
    for (const Schedule of [...all, ...others, ReduceLROnPlateau, SequentialLR, StepLR, SWALR])
      expect(() => new Schedule(o, junk)).toThrow(/expected options \{.*\}, got one named/);
  });

  it.each(Object.keys(CASES))("%s refuses junk as a state, and changes nothing", (name) => {
    const schedule = CASES[name](optimizer());
    const state = schedule.state();
    for (const junk of [
      undefined,
      null,
      7,
      "x",
      {},
      { ...state, steps: undefined },
      { ...state, steps: -1 },
      { ...state, initialLearningRates: undefined },
      { ...state, initialLearningRates: ["x"] },
      { ...state, initialLearningRates: [1, 2] },
      { ...state, learningRates: [1, 2] },
    ])
      expect(() => schedule.loadState(junk as ScheduleState)).toThrow(/loadState: expected a state of/);
    if (name.startsWith("plateau"))
      for (const part of [{ best: "x" }, { badSteps: -1 }, { learningRates: undefined }])
        expect(() => schedule.loadState({ ...state, ...part } as ScheduleState)).toThrow(/expected best/);
    expect(schedule.state()).toEqual(state);
  });
});
