import {
  add,
  dispose,
  linear,
  mul,
  narrow,
  neg,
  read,
  square,
  sub,
  sum,
  type Tensor,
  tanh,
  tensor,
  useDevice,
  zeros,
} from "@ai/tensor";
import { describeEachDevice, expectNoLeak, loadFixture } from "@ai/tensor/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { Parameter, StateTensor } from "../../parameter.js";
import { mseLoss } from "../losses/index.js";
import { LBFGS, type LbfgsOptions } from "./index.js";

const fixture = await loadFixture(new URL("../../../fixtures/lbfgs.safetensors", import.meta.url));

function parameterOf(name: string): Parameter {
  const { shape } = fixture.host(name);
  const parameter = new Parameter(shape, { initializer: () => zeros(shape) });
  parameter.setValue(fixture.tensor(name));
  return parameter;
}

/** `Σ 100 · (pᵢ₊₁ − pᵢ²)² + (1 − pᵢ)²`, a bent valley. */
function rosenbrock(p: Tensor): Tensor {
  const [left, right] = [0, 1].map((start) => narrow(p, { axis: 0, start, length: p.shape[0] - 1 }));
  return sum(add(mul(square(sub(right, square(left))), 100), square(sub(1, left))));
}

interface Problem {
  readonly parameters: readonly Parameter[];
  readonly compute: () => Tensor;
  readonly dispose: () => void;
}

function regression(): Problem {
  const [x, y] = [fixture.tensor("x"), fixture.tensor("y")];
  const [weight, bias] = [parameterOf("weight"), parameterOf("bias")];
  const compute = (): Tensor => mseLoss(tanh(linear(x, weight.value, bias.value)), y);
  return { parameters: [weight, bias], compute, dispose: () => dispose([x, y, weight.value, bias.value]) };
}

function valley(): Problem {
  const p = parameterOf("valley");
  return { parameters: [p], compute: () => rosenbrock(p.value), dispose: () => p.dispose() };
}

interface Case {
  readonly make: () => Problem;
  readonly options: Partial<LbfgsOptions>;
}

const CASES: Readonly<Record<string, Case>> = {
  fixed: { make: regression, options: { learningRate: 0.5, maxIterations: 4 } },
  fixed_short_memory: { make: regression, options: { learningRate: 0.3, maxIterations: 6, historySize: 2 } },
  wolfe: { make: regression, options: { maxIterations: 4, lineSearch: "strongWolfe" } },
  wolfe_valley: {
    make: valley,
    options: { maxIterations: 4, maxEvaluations: 12, lineSearch: "strongWolfe" },
  },
  wolfe_long: {
    make: valley,
    options: { learningRate: 100, maxIterations: 3, maxEvaluations: 20, lineSearch: "strongWolfe" },
  },
  wolfe_short: {
    make: valley,
    options: { learningRate: 0.02, maxIterations: 3, maxEvaluations: 20, lineSearch: "strongWolfe" },
  },
};

async function valuesOf(parameters: readonly Parameter[]): Promise<number[]> {
  return (await Promise.all(parameters.map(async ({ value }) => [...(await read(value))]))).flat();
}

describeEachDevice("LBFGS equals PyTorch's", () => {
  it.each(Object.keys(CASES))("%s", async (name) => {
    await expectNoLeak(async () => {
      const { make, options } = CASES[name];
      const problem = make();
      const optimizer = new LBFGS(problem.parameters, options);
      const { values: losses } = fixture.host(`${name}/loss`);
      const { values: after, shape } = fixture.host(`${name}/after`);
      for (let step = 0; step < losses.length; step++) {
        // float32 gradients against float64: each iteration divides differences of them
        const loss = await optimizer.step(problem.compute);
        expect(Math.abs(loss - Number(losses[step])) / Number(losses[step])).toBeLessThan(1e-4);
        const values = tensor(await valuesOf(problem.parameters));
        await expect(values).toBeCloseToTensor(
          {
            shape: [shape[1]],
            dtype: "float32",
            values: after.slice(step * shape[1], (step + 1) * shape[1]),
          },
          { relative: 1e-3, absoluteScale: 1e-4 },
        );
        values.dispose();
      }
      problem.dispose();
    });
  });
});

describe("LBFGS", () => {
  beforeAll(() => useDevice("cpu"));

  it("has a test for each case of the fixture", () => {
    const stored = fixture.names.filter((name) => name.endsWith("/after"));
    expect(stored.map((name) => name.slice(0, -"/after".length)).sort()).toEqual(Object.keys(CASES).sort());
  });

  it("finds the end of the valley, and goes on from a saved state as if it had not stopped", async () => {
    const whole = valley();
    const options = { lineSearch: "strongWolfe", maxIterations: 5 } as const;
    const optimizer = new LBFGS(whole.parameters, options);
    await optimizer.step(whole.compute);
    const state = optimizer.state();
    const resumed = valley();
    resumed.parameters[0].setValue(tensor(await valuesOf(whole.parameters)));
    const second = new LBFGS(resumed.parameters, options);
    second.loadState({ json: JSON.parse(JSON.stringify(state.json)), tensors: state.tensors });
    for (let step = 0; step < 2; step++) {
      await optimizer.step(whole.compute);
      await second.step(resumed.compute);
    }
    expect(await valuesOf(resumed.parameters)).toEqual(await valuesOf(whole.parameters));
    expect(second.state()).toEqual(optimizer.state());
    const free = valley();
    free.parameters[0].setValue(tensor([0.5, 0.5, 0.5, 0.5]));
    const end = new LBFGS(free.parameters, { lineSearch: "strongWolfe", maxIterations: 100 });
    await end.step(free.compute);
    for (const value of await valuesOf(free.parameters)) expect(value).toBeCloseTo(1, 3);
    for (const each of [whole, resumed, free]) each.dispose();
  });

  it("leaves what is pruned at 0, and weights without influence where they are", async () => {
    await expectNoLeak(async () => {
      const [pruned, unused] = [parameterOf("valley"), parameterOf("bias")];
      const mask = new StateTensor([4], { initializer: () => tensor([1, 0, 1, 1]) });
      mask.setValue(tensor([1, 0, 1, 1]));
      pruned.mask = mask;
      pruned.setValue(tensor([2, 0, 2, 2]));
      const before = await valuesOf([unused]);
      const optimizer = new LBFGS([pruned, unused], { lineSearch: "strongWolfe" });
      await optimizer.step(() => sum(square(sub(pruned.value, 1))));
      const [first, second] = await valuesOf([pruned]);
      expect(first).toBeCloseTo(1, 5);
      expect(second).toBe(0);
      expect(await valuesOf([unused])).toEqual(before);
      for (const each of [pruned, mask, unused]) each.dispose();
    });
  });

  it("leaves frozen weights where they are, and refuses a loss that depends on no other", async () => {
    const [frozen, free] = [parameterOf("bias"), parameterOf("bias")];
    frozen.requiresGrad = false;
    const before = await valuesOf([frozen]);
    await expectNoLeak(async () => {
      const optimizer = new LBFGS([frozen, free], { lineSearch: "strongWolfe" });
      const distance = (): Tensor => sum(square(sub(add(frozen.value, free.value), 1)));
      await optimizer.step(distance);
      expect(await optimizer.step(distance)).toBeLessThan(1e-6);
      expect(await valuesOf([frozen])).toEqual(before);
      const useless = optimizer.step(() => sum(square(frozen.value)));
      await expect(useless).rejects.toThrow(/ignores them all, or they are frozen/);
    });
    for (const each of [frozen, free]) each.dispose();
  });

  it("puts the weights back when a step is aborted or fails, and steps on afterwards", async () => {
    await expectNoLeak(async () => {
      const problem = valley();
      const before = await valuesOf(problem.parameters);
      const optimizer = new LBFGS(problem.parameters, { lineSearch: "strongWolfe" });
      let calls = 0;
      const stop = new AbortController();
      const aborted = optimizer.step(
        () => {
          if (++calls === 4) stop.abort(new TypeError("enough"));
          return problem.compute();
        },
        { signal: stop.signal },
      );
      await expect(optimizer.step(problem.compute)).rejects.toThrow(/one step at a time, got another one/);
      await expect(aborted).rejects.toThrow("enough");
      expect(calls).toBe(4);
      expect(await valuesOf(problem.parameters)).toEqual(before);
      const climbing = new LBFGS(problem.parameters, { learningRate: 1e30 });
      const endless = climbing.step(() => neg(problem.compute()));
      await expect(endless).rejects.toThrow(/expected a finite loss and gradient, got a loss of -?(Inf|NaN)/);
      expect(await valuesOf(problem.parameters)).toEqual(before);
      expect(climbing.state().json.iterations).toBe(0);
      expect(await optimizer.step(problem.compute)).toBeCloseTo(105.7, 3);
      problem.dispose();
    });
  });

  it("refuses what makes no sense", async () => {
    const problem = valley();
    const { parameters } = problem;
    expect(() => new LBFGS([])).toThrow(/different parameters, without groups/);
    expect(() => new LBFGS([...parameters, ...parameters])).toThrow(/different parameters/);
    expect(() => new LBFGS(parameters, { maxIterations: 0 })).toThrow(/maxIterations of at least 1, got 0/);
    expect(() => new LBFGS(parameters, { learningRate: -1 })).toThrow(/learningRate of at least 0/);
    expect(() => new LBFGS(parameters, { lineSearch: "strong_wolfe" as never })).toThrow(
      /none or strongWolfe, got strong_wolfe/,
    );
    expect(() => new LBFGS(parameters, { lr: 1 } as object)).toThrow(/got one named lr/);
    const optimizer = new LBFGS(parameters);
    await expect(optimizer.step([] as never)).rejects.toThrow(
      /a function that computes the loss, got object/,
    );
    await expect(optimizer.step(problem.compute, { sgnal: 1 } as object)).rejects.toThrow(/named sgnal/);
    const { json, tensors } = optimizer.state();
    for (const junk of [undefined, null, 3, {}, { json }, { json: { ...json, pairs: -1 }, tensors }])
      expect(() => optimizer.loadState(junk as never)).toThrow(/\{ json, tensors \} that state\(\) gave/);
    const short = { json: { ...json, iterations: 1, pairs: 1 }, tensors };
    expect(() => optimizer.loadState(short)).toThrow(/4 float32 values for 0.step, got none/);
    problem.dispose();
  });
});
