import { fromValues, memory, type Tensor, tensor, zeros } from "@ai/tensor";
import { describeEachDevice, expectNoLeak, loadFixture } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import { Parameter } from "../../parameter.js";
import {
  Adam,
  AdamW,
  areFinite,
  clipGradNorm,
  clipGradValue,
  gradientNorm,
  type Optimizer,
  SGD,
} from "./index.js";

const fixture = await loadFixture(new URL("../../../fixtures/training.safetensors", import.meta.url));
const STEPS = 20;
const start = fixture.host("optimizer/start").values as Float32Array;
const gradientValues = fixture.host("optimizer/gradients").values as Float32Array;

/** The two parameters of the fixture, `[3, 4]` and `[4]`. */
function makeParameters(): [Parameter, Parameter] {
  const from = (shape: number[], begin: number, end: number): Parameter => {
    const parameter = new Parameter(shape, {
      initializer: () => fromValues(start.slice(begin, end), shape, "float32"),
    });
    parameter.setValue(fromValues(start.slice(begin, end), shape, "float32"));
    return parameter;
  };
  return [from([3, 4], 0, 12), from([4], 12, 16)];
}

function gradientsOf(step: number): Tensor[] {
  const row = gradientValues.subarray(step * 16, step * 16 + 16);
  return [fromValues(row.slice(0, 12), [3, 4], "float32"), fromValues(row.slice(12), [4], "float32")];
}

function expected(name: string, step: number): { first: Float32Array; second: Float32Array } {
  const row = fixture.host(`optimizer/${name}/after`).values.slice(step * 16, step * 16 + 16) as Float32Array;
  return { first: row.slice(0, 12), second: row.slice(12) };
}

interface Case {
  readonly name: string;
  readonly make: (parameters: [Parameter, Parameter]) => Optimizer;
  readonly prepare?: (gradients: Tensor[], step: number) => (Tensor | null)[];
}

const AMSGRAD = { learningRate: 0.02, weightDecay: 0.2, amsgrad: true, maximize: true };
const MOMENTUM = { learningRate: 0.05, momentum: 0.9, dampening: 0.3, weightDecay: 0.01 };
const plainSgd = (parameters: Parameter[]): Optimizer => new SGD(parameters, { learningRate: 0.1 });

const CASES: readonly Case[] = [
  { name: "sgd", make: plainSgd },
  {
    name: "sgd_decay",
    make: (p) => new SGD(p, { learningRate: 0.1, weightDecay: 0.05, maximize: true }),
  },
  { name: "sgd_momentum", make: (p) => new SGD(p, MOMENTUM) },
  {
    name: "sgd_nesterov",
    make: (p) => new SGD(p, { learningRate: 0.05, momentum: 0.9, nesterov: true }),
  },
  { name: "adam", make: (p) => new Adam(p, { learningRate: 0.02 }) },
  {
    name: "adam_decay",
    make: (p) =>
      new Adam(p, {
        learningRate: 0.02,
        betas: [0.8, 0.95],
        epsilon: 1e-6,
        weightDecay: 0.1,
      }),
  },
  {
    name: "adam_amsgrad",
    make: (p) => new Adam(p, { learningRate: 0.02, amsgrad: true }),
  },
  { name: "adamw", make: (p) => new AdamW(p, { learningRate: 0.02 }) },
  { name: "adamw_amsgrad", make: (p) => new AdamW(p, AMSGRAD) },
  {
    name: "adamw_groups",
    make: ([first, second]) =>
      new AdamW(
        [
          { parameters: [first], options: { weightDecay: 0.5 } },
          { parameters: [second], options: { learningRate: 0.1, betas: [0.5, 0.9] } },
        ],
        { learningRate: 0.02 },
      ),
  },
  {
    name: "adamw_missing",
    make: (p) => new AdamW(p, { learningRate: 0.02 }),
    prepare: ([first, second], step) => [first, step % 3 === 0 ? null : second],
  },
  { name: "sgd_clip_norm", make: plainSgd, prepare: (gradients) => clipped(clipGradNorm(gradients, 3)) },
  {
    name: "sgd_clip_norm_max",
    make: plainSgd,
    prepare: (gradients) => clipped(clipGradNorm(gradients, 1, { order: Number.POSITIVE_INFINITY })),
  },
  { name: "sgd_clip_value", make: plainSgd, prepare: (gradients) => clipGradValue(gradients, 0.5) },
];

function clipped({ gradients, totalNorm }: ReturnType<typeof clipGradNorm>): (Tensor | null)[] {
  totalNorm.dispose();
  return gradients;
}

/** Steps `from … to − 1` of a case. */
function advance({ prepare }: Case, optimizer: Optimizer, from: number, to: number): void {
  for (let step = from; step < to; step++) {
    const gradients = gradientsOf(step);
    const prepared = prepare?.(gradients, step) ?? gradients;
    optimizer.step(prepared);
    for (const gradient of new Set([...gradients, ...prepared])) gradient?.dispose();
  }
}

async function expectState(name: string, step: number, [first, second]: Parameter[]): Promise<void> {
  const want = expected(name, step);
  // twenty float32 steps against float64: roundings of the moments add up
  const tolerance = { relative: 2e-5, absoluteScale: 3e-6 };
  await expect(first.value).toBeCloseToTensor(
    { shape: [3, 4], dtype: "float32", values: want.first },
    tolerance,
  );
  await expect(second.value).toBeCloseToTensor(
    { shape: [4], dtype: "float32", values: want.second },
    tolerance,
  );
}

describeEachDevice("optimizers equal PyTorch's over 20 steps", () => {
  it.each(CASES)("$name", async (each) => {
    await expectNoLeak(async () => {
      const parameters = makeParameters();
      const optimizer = each.make(parameters);
      let done = 0;
      for (const until of [1, 2, 8, STEPS]) {
        advance(each, optimizer, done, until);
        done = until;
        await expectState(each.name, until - 1, parameters);
      }
      optimizer.dispose();
      for (const parameter of parameters) parameter.dispose();
    });
  });

  it("goes on from a saved state as if it had not stopped", async () => {
    for (const each of CASES.filter(({ name }) =>
      ["sgd_momentum", "adamw_amsgrad", "adamw_missing"].includes(name),
    )) {
      const parameters = makeParameters();
      const whole = each.make(parameters);
      advance(each, whole, 0, 7);
      const state = JSON.parse(JSON.stringify((await whole.state()).json));
      const { tensors } = await whole.state();
      const values = await Promise.all(
        parameters.map(async ({ value }) => (await value.data()).slice() as Float32Array),
      );
      advance(each, whole, 7, 12);
      const copies = makeParameters();
      copies.forEach((copy, index) => {
        copy.setValue(fromValues(values[index], copy.shape, "float32"));
      });
      const resumed = each.make(copies);
      resumed.loadState({ json: state, tensors });
      advance(each, resumed, 7, 12);
      for (const index of [0, 1])
        expect(await copies[index].value.data(), each.name).toEqual(await parameters[index].value.data());
      for (const part of [whole, resumed, ...parameters, ...copies]) part.dispose();
    }
  });
});

describe("optimizers refuse", () => {
  const parameters = [new Parameter([2], { initializer: () => zeros([2]) })];
  parameters[0].setValue(tensor([1, 2]));

  it("options out of range, unknown or without sense", () => {
    expect(() => new SGD(parameters, { learningRate: -1 })).toThrow(/learningRate of at least 0, got -1/);
    expect(() => new SGD(parameters, { learningRate: 1, nesterov: true })).toThrow(
      /momentum and no dampening with nesterov/,
    );
    expect(() => new Adam(parameters, { betas: [1, 0.9] })).toThrow(/two betas in \[0, 1\)/);
    expect(() => new AdamW(parameters, { lr: 1 } as object)).toThrow(/got one named lr/);
    expect(() => new SGD([], { learningRate: 1 })).toThrow(/expected parameters, got none/);
    expect(() => new SGD([...parameters, ...parameters], { learningRate: 1 })).toThrow(
      /each parameter in one group/,
    );
  });

  it("gradients of another number or shape, and change nothing", async () => {
    const optimizer = new SGD(parameters, { learningRate: 1 });
    const wrong = zeros([3]);
    const before = memory().numTensors;
    expect(() => optimizer.step([])).toThrow(/expected 1 gradients, got 0/);
    expect(() => optimizer.step([wrong])).toThrow(/shape \[2\] for parameter 0, got \[3\]/);
    expect(memory().numTensors).toBe(before);
    expect(await parameters[0].value.data()).toEqual(Float32Array.of(1, 2));
    wrong.dispose();
  });

  it("the state of another optimizer", async () => {
    const adam = new Adam(parameters);
    expect(() =>
      adam.loadState({ json: { name: "SGD", groups: [], steps: [] }, tensors: new Map() }),
    ).toThrow(/a state of Adam, got one of SGD/);
    const state = await adam.state();
    const other = new Map([
      ["0.firstMoment", { dtype: "float32" as const, shape: [3], values: new Float32Array(3) }],
    ]);
    expect(() => adam.loadState({ json: state.json, tensors: other })).toThrow(/got \[3\] for 0.firstMoment/);
  });

  it("limits that are not above 0", () => {
    expect(() => clipGradNorm([], 0)).toThrow(/maxNorm above 0, got 0/);
    const parameter = new Parameter([2], { initializer: (shape) => zeros(shape) });
    expect(() => clipGradNorm([parameter] as never, 1)).toThrow(
      /clipGradNorm: expected an array of gradients, got parameters; pass grads of valueAndGrad/,
    );
    expect(() => clipGradValue([], -1)).toThrow(/limit above 0, got -1/);
    expect(() => gradientNorm([], { order: 0 })).toThrow(/order above 0/);
  });
});

describeEachDevice("gradients that are not finite", () => {
  it("are found, and no clipping hides them", async () => {
    const bad = tensor([1, Number.NaN]);
    const good = tensor([3, 4]);
    const before = memory().numTensors;
    expect(await areFinite([good, null])).toBe(true);
    expect(await areFinite([good, bad])).toBe(false);
    expect(memory().numTensors).toBe(before);
    const { gradients, totalNorm } = clipGradNorm([good, null], 1);
    await expect(totalNorm).toBeCloseToTensor({ shape: [], dtype: "float32", values: [5] });
    expect(gradients[1]).toBeNull();
    const [bounded] = clipGradValue([bad], 0.5);
    expect([...(await bounded!.data())]).toEqual([0.5, Number.NaN]);
    for (const each of [bad, good, totalNorm, bounded, ...gradients]) each?.dispose();
  });
});
