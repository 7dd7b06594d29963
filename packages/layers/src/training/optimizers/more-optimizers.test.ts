import { fromValues, read, type Tensor, tensor, tidy, transpose, zeros } from "@ai/tensor";
import { describeEachDevice, expectNoLeak, loadFixture } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import { Parameter } from "../../parameter.js";
import {
  Adadelta,
  Adafactor,
  Adagrad,
  Adamax,
  ASGD,
  ExponentialMovingAverage,
  LAMB,
  Lion,
  Muon,
  NAdam,
  type Optimizer,
  type OptimizerState,
  RAdam,
  RMSprop,
  Rprop,
  SGD,
  StochasticWeightAverage,
  type WeightAverage,
} from "./index.js";

const fixture = await loadFixture(new URL("../../../fixtures/optimizers.safetensors", import.meta.url));
const STEPS = 12;
const start = fixture.host("start").values as Float32Array;
const gradientValues = fixture.host("gradients").values as Float32Array;

type Pair = readonly [Parameter, Parameter];

function makeParameters(name: string): Pair {
  const values = name === "lamb_zero" ? new Float32Array(16) : start;
  const make = (shape: number[], begin: number, end: number): Parameter => {
    const parameter = new Parameter(shape, { initializer: () => zeros(shape) });
    parameter.setValue(fromValues(values.slice(begin, end), shape, "float32"));
    return parameter;
  };
  return [make([3, 4], 0, 12), make(name.startsWith("muon") ? [4, 1] : [4], 12, 16)];
}

function gradientsOf(step: number, [first, second]: Pair): Tensor[] {
  const row = gradientValues.subarray(step * 16, step * 16 + 16);
  return [
    fromValues(row.slice(0, 12), first.shape, "float32"),
    fromValues(row.slice(12), second.shape, "float32"),
  ];
}

function advance(optimizer: Optimizer, pair: Pair, from: number, to: number): void {
  for (let step = from; step < to; step++) {
    const gradients = gradientsOf(step, pair);
    optimizer.step(gradients);
    for (const gradient of gradients) gradient.dispose();
  }
}

async function valuesOf(pair: readonly Parameter[]): Promise<number[]> {
  return (await Promise.all(pair.map(async ({ value }) => [...(await read(value))]))).flat();
}

async function expectValues(name: string, step: number, got: readonly number[]): Promise<void> {
  const expected = fixture.host(`${name}/after`).values.slice(step * 16, step * 16 + 16);
  const values = tensor(got);
  // twelve float32 steps against float64: roundings of the moments add up
  await expect(values).toBeCloseToTensor(
    { shape: [16], dtype: "float32", values: expected },
    { relative: 3e-5, absoluteScale: 5e-6 },
  );
  values.dispose();
}

const ASGD_OPTIONS = {
  learningRate: 0.1,
  decay: 0.5,
  alpha: 0.6,
  averageFrom: 3,
  weightDecay: 0.1,
  maximize: true,
};
const CASES: Readonly<Record<string, (parameters: Pair) => Optimizer>> = {
  rmsprop: (p) => new RMSprop(p),
  rmsprop_centered: (p) =>
    new RMSprop(p, {
      learningRate: 0.02,
      alpha: 0.9,
      epsilon: 1e-6,
      weightDecay: 0.1,
      momentum: 0.8,
      centered: true,
    }),
  adagrad: (p) => new Adagrad(p, { learningRate: 0.1 }),
  adagrad_all: (p) =>
    new Adagrad(p, {
      learningRate: 0.1,
      learningRateDecay: 0.2,
      weightDecay: 0.1,
      initialAccumulator: 0.5,
      epsilon: 1e-6,
      maximize: true,
    }),
  adadelta: (p) => new Adadelta(p),
  adadelta_all: (p) => new Adadelta(p, { learningRate: 0.5, rho: 0.7, epsilon: 1e-3, weightDecay: 0.1 }),
  adamax: (p) => new Adamax(p),
  adamax_all: (p) =>
    new Adamax(p, { learningRate: 0.02, betas: [0.8, 0.9], epsilon: 1e-4, weightDecay: 0.1, maximize: true }),
  nadam: (p) => new NAdam(p),
  nadam_all: (p) =>
    new NAdam(p, {
      learningRate: 0.02,
      betas: [0.8, 0.9],
      weightDecay: 0.1,
      momentumDecay: 0.1,
      decoupledWeightDecay: true,
    }),
  nadam_penalty: (p) => new NAdam(p, { learningRate: 0.02, weightDecay: 0.1 }),
  radam: (p) => new RAdam(p),
  radam_all: (p) =>
    new RAdam(p, { learningRate: 0.02, betas: [0.8, 0.99], weightDecay: 0.1, decoupledWeightDecay: true }),
  radam_penalty: (p) =>
    new RAdam(p, { learningRate: 0.02, betas: [0.9, 0.95], weightDecay: 0.1, maximize: true }),
  lion: (p) => new Lion(p),
  lion_all: (p) => new Lion(p, { learningRate: 0.02, betas: [0.8, 0.95], weightDecay: 0.5 }),
  lamb: (p) => new LAMB(p),
  lamb_all: (p) => new LAMB(p, { learningRate: 0.05, betas: [0.8, 0.9], epsilon: 1e-4, weightDecay: 0.1 }),
  lamb_zero: (p) => new LAMB(p),
  adafactor: (p) => new Adafactor(p),
  adafactor_all: (p) =>
    new Adafactor(p, {
      learningRate: 0.5,
      beta2Decay: -0.5,
      epsilons: [1e-3, 0.1],
      clipThreshold: 1.5,
      weightDecay: 0.1,
      maximize: true,
    }),
  muon: (p) => new Muon(p),
  muon_all: (p) =>
    new Muon(p, {
      learningRate: 0.05,
      weightDecay: 0.3,
      momentum: 0.8,
      nesterov: false,
      coefficients: [3, -3.2, 1.2],
      iterations: 3,
      adjustment: "matchRmsAdamw",
    }),
  rprop: (p) => new Rprop(p),
  rprop_all: (p) =>
    new Rprop(p, { learningRate: 0.2, etas: [0.3, 1.9], stepSizes: [0.08, 0.5], maximize: true }),
  asgd: (p) => new ASGD(p),
  asgd_all: (p) => new ASGD(p, ASGD_OPTIONS),
};
const AVERAGES: Readonly<Record<string, (parameters: Pair) => WeightAverage>> = {
  swa: (p) => new StochasticWeightAverage(p),
  ema: (p) => new ExponentialMovingAverage(p, { decay: 0.9 }),
  ema_warm_up: (p) => new ExponentialMovingAverage(p, { decay: 0.9, warmUp: true }),
};

describe("the fixture", () => {
  it("has a test for each of its cases", () => {
    const stored = fixture.names.filter((name) => name.endsWith("/after"));
    expect(stored.map((name) => name.slice(0, -"/after".length)).sort()).toEqual(
      [...Object.keys(CASES), ...Object.keys(AVERAGES), "asgd_average"].sort(),
    );
  });
});

describeEachDevice("optimizers equal torch.optim or their paper over 12 steps", () => {
  it.each(Object.keys(CASES))("%s", async (name) => {
    await expectNoLeak(async () => {
      const pair = makeParameters(name);
      const optimizer = CASES[name](pair);
      let done = 0;
      for (const until of [1, 2, 7, STEPS]) {
        advance(optimizer, pair, done, until);
        done = until;
        await expectValues(name, until - 1, await valuesOf(pair));
      }
      optimizer.dispose();
      for (const parameter of pair) parameter.dispose();
    });
  });

  it.each(Object.keys(AVERAGES))("%s", async (name) => {
    await expectNoLeak(async () => {
      const pair = makeParameters(name);
      const optimizer = new SGD(pair, { learningRate: 0.1 });
      const average = AVERAGES[name](pair);
      for (let step = 0; step < STEPS; step++) {
        advance(optimizer, pair, step, step + 1);
        average.update();
        if (![0, 1, STEPS - 1].includes(step)) continue;
        const before = await valuesOf(pair);
        await expectValues(name, step, await average.during(() => valuesOf(pair)));
        expect(await valuesOf(pair)).toEqual(before);
      }
      for (const part of [optimizer, average, ...pair]) part.dispose();
    });
  });
});

describe("optimizers", () => {
  it.each(Object.keys(CASES))("%s goes on from a saved state as if it had not stopped", async (name) => {
    const pair = makeParameters(name);
    const whole = CASES[name](pair);
    advance(whole, pair, 0, 4);
    const { json, tensors } = await whole.state();
    const values = await Promise.all(pair.map(async ({ value }) => (await read(value)).slice()));
    advance(whole, pair, 4, 8);
    const copies = makeParameters(name);
    copies.forEach((copy, index) => {
      copy.setValue(fromValues(values[index], copy.shape, "float32"));
    });
    const resumed = CASES[name](copies);
    resumed.loadState({ json: JSON.parse(JSON.stringify(json)), tensors });
    advance(resumed, copies, 4, 8);
    expect(await valuesOf(copies)).toEqual(await valuesOf(pair));
    for (const part of [whole, resumed, ...pair, ...copies]) part.dispose();
  });

  it.each([
    ["adafactor_all", (p: Parameter[]) => CASES.adafactor_all(p as unknown as Pair)],
    ["muon_all", (p: Parameter[]) => CASES.muon_all(p as unknown as Pair)],
  ])("%s sees rows and columns as PyTorch does, whatever order the axes have here", async (name, make) => {
    await expectNoLeak(async () => {
      const turned = new Parameter([4, 3], {
        initializer: () => zeros([4, 3]),
        checkpointPermutation: [1, 0],
      });
      const turn = (values: Float32Array): Tensor =>
        tidy(() => transpose(fromValues(values, [3, 4], "float32")));
      turned.setValue(turn(start.slice(0, 12)));
      const optimizer = make([turned]);
      for (let step = 0; step < STEPS; step++) {
        const gradient = turn(gradientValues.slice(step * 16, step * 16 + 12));
        optimizer.step([gradient]);
        gradient.dispose();
      }
      const back = tidy(() => transpose(turned.value));
      const values = fixture.host(`${name}/after`).values.slice(-16, -4);
      await expect(back).toBeCloseToTensor(
        { shape: [3, 4], dtype: "float32", values },
        { relative: 3e-5, absoluteScale: 5e-6 },
      );
      for (const part of [optimizer, turned, back]) part.dispose();
    });
  });

  it("takes ASGD's average in place of the weights, at any time", async () => {
    await expectNoLeak(async () => {
      const pair = makeParameters("asgd_average");
      const optimizer = new ASGD(pair, ASGD_OPTIONS);
      expect(() => optimizer.copyAverageToParameters()).toThrow(/expected an average, got none yet/);
      advance(optimizer, pair, 0, STEPS);
      optimizer.copyAverageToParameters();
      await expectValues("asgd_average", STEPS - 1, await valuesOf(pair));
      for (const part of [optimizer, ...pair]) part.dispose();
    });
  });

  it("share one parameter's groups and leave parameters without a gradient alone", async () => {
    const pair = makeParameters("lion");
    const before = await valuesOf(pair);
    const optimizer = new Lion(
      [{ parameters: [pair[0]] }, { parameters: [pair[1]], options: { learningRate: 0.5 } }],
      { learningRate: 0.1 },
    );
    const [gradient, other] = gradientsOf(0, pair);
    optimizer.step([null, other]);
    const after = await valuesOf(pair);
    expect(after.slice(0, 12)).toEqual(before.slice(0, 12));
    expect(Math.abs(after[12] - before[12])).toBeCloseTo(0.5, 6);
    for (const part of [optimizer, gradient, other, ...pair]) part.dispose();
  });
});

describe("averages", () => {
  it("go on from a saved state, and end in the parameters when asked", async () => {
    await expectNoLeak(async () => {
      const pair = makeParameters("ema");
      const optimizer = new SGD(pair, { learningRate: 0.1 });
      const average = AVERAGES.ema(pair);
      advance(optimizer, pair, 0, 1);
      average.update();
      const resumed = AVERAGES.ema(pair);
      const { json, tensors } = await average.state();
      resumed.loadState({ json: JSON.parse(JSON.stringify(json)), tensors });
      for (let step = 1; step < STEPS; step++) {
        advance(optimizer, pair, step, step + 1);
        resumed.update();
      }
      resumed.copyToParameters();
      await expectValues("ema", STEPS - 1, await valuesOf(pair));
      for (const part of [optimizer, average, resumed, ...pair]) part.dispose();
    });
  });

  it("put the weights back when what runs with them fails", async () => {
    const pair = makeParameters("swa");
    const average = AVERAGES.swa(pair);
    average.update();
    const optimizer = new SGD(pair, { learningRate: 0.1 });
    advance(optimizer, pair, 0, 1);
    const before = await valuesOf(pair);
    const failing = average.during(() => {
      throw new TypeError("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(await valuesOf(pair)).toEqual(before);
    for (const part of [optimizer, average, ...pair]) part.dispose();
  });

  it("leave weights that rest where they are, to the bit", async () => {
    const pair = makeParameters("swa");
    const before = await valuesOf(pair);
    for (const average of [
      new ExponentialMovingAverage(pair, { decay: 0.9999 }),
      new StochasticWeightAverage(pair),
    ]) {
      for (let update = 0; update < 100; update++) average.update();
      average.copyToParameters();
      expect(await valuesOf(pair)).toEqual(before);
      average.dispose();
    }
    for (const parameter of pair) parameter.dispose();
  });

  it("refuse what makes no sense", async () => {
    const pair = makeParameters("swa");
    expect(() => new ExponentialMovingAverage(pair, { decay: 1.5 })).toThrow(/decay in \[0, 1\], got 1.5/);
    expect(() => new ExponentialMovingAverage(pair, { rate: 1 } as object)).toThrow(/got one named rate/);
    expect(() => new StochasticWeightAverage([])).toThrow(/parameters, got none/);
    const average = new StochasticWeightAverage(pair);
    expect(() => average.copyToParameters()).toThrow(/expected an average, got none yet/);
    await expect(average.during(() => 1)).rejects.toThrow(/got none yet/);
    for (const junk of [undefined, null, {}, 3, { json: null }])
      expect(() => average.loadState(junk as never)).toThrow(/a state of StochasticWeightAverage, got/);
    const tensors = new Map([["0", { dtype: "float32" as const, shape: [1], values: new Float32Array(1) }]]);
    expect(() =>
      average.loadState({ json: { name: "StochasticWeightAverage", updates: 1 }, tensors }),
    ).toThrow(/expected \[3, 4\] for average 0, got \[1\]/);
    for (const parameter of pair) parameter.dispose();
  });
});

describe("optimizers refuse", () => {
  it("junk as a state, and change nothing", async () => {
    const pair = makeParameters("nadam");
    const optimizer = new NAdam(pair);
    advance(optimizer, pair, 0, 2);
    const { json, tensors } = await optimizer.state();
    const refused = (state: unknown): void => {
      expect(() => optimizer.loadState(state as OptimizerState)).toThrow(/NAdam.loadState: expected/);
    };
    for (const junk of [undefined, null, 3, "x", {}, { json }, { json: null, tensors }]) refused(junk);
    for (const part of [
      { groups: undefined },
      { groups: [null] },
      { groups: [{ options: {}, parameters: 1 }] },
      { groups: [{ options: { learningRate: -1 }, parameters: 2 }] },
      { groups: [{ options: { lr: 1 }, parameters: 2 }] },
      { groups: [{ options: {}, parameters: 2, initialLearningRate: "x" }] },
      { steps: undefined },
      { steps: [1] },
      { steps: [1, -1] },
      { numbers: [{ momentumProduct: "x" }, {}] },
    ])
      refused({ json: { ...json, ...part }, tensors });
    refused({ json, tensors: new Map([["9.firstMoment", tensors.get("0.firstMoment")]]) });
    refused({ json, tensors: new Map([["0.firstMoment", undefined]]) });
    refused({ json, tensors: new Map([["1.firstMoment", { dtype: "float32", shape: [4], values: [] }]]) });
    expect(await optimizer.state()).toEqual({ json, tensors });
    const factored = new Adafactor(pair);
    const row = { dtype: "float32" as const, shape: [3, 4], values: new Float32Array(12) };
    const state = (await factored.state()).json;
    expect(() => factored.loadState({ json: state, tensors: new Map([["0.rowVariance", row]]) })).toThrow(
      /got \[3, 4\] for 0.rowVariance/,
    );
    for (const part of [optimizer, factored, ...pair]) part.dispose();
  });
});
