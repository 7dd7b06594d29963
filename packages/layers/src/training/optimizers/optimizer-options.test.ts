import { zeros } from "@ai/tensor";
import { describe, expect, it } from "vitest";
import { Parameter } from "../../parameter.js";
import {
  Adadelta,
  Adafactor,
  Adagrad,
  Adam,
  Adamax,
  ASGD,
  LAMB,
  LBFGS,
  Lion,
  Muon,
  NAdam,
  RAdam,
  RMSprop,
  Rprop,
} from "./index.js";

describe("optimizers", () => {
  it("refuse options out of range, unknown or without sense", () => {
    const pair = [[3, 4], [4]].map((shape) => new Parameter(shape, { initializer: (size) => zeros(size) }));
    const some: readonly Parameter[] = pair;
    expect(() => new RMSprop(some, { alpha: 1 })).toThrow(/RMSprop: expected alpha in \[0, 1\), got 1/);
    expect(() => new Adagrad(some, { initialAccumulator: -1 })).toThrow(/initialAccumulator of at least 0/);
    expect(() => new Adadelta(some, { rho: -1 })).toThrow(/rho in \[0, 1\), got -1/);
    expect(() => new Adamax(some, { betas: [1, 0] })).toThrow(/Adamax: expected two betas/);
    expect(() => new Adamax(some, { betas: [0.9, "0.99"] as never })).toThrow(/Adamax: expected two betas/);
    expect(() => new NAdam(some, { momentumDecay: -1 })).toThrow(/momentumDecay of at least 0/);
    expect(() => new RAdam(some, { betas: 3 as never })).toThrow(/RAdam: expected two betas/);
    expect(() => new Lion(some, { epsilon: 1 } as object)).toThrow(
      /Lion: expected options .*, got one named epsilon/,
    );
    expect(() => new LAMB(some, { epsilon: Number.NaN })).toThrow(/finite epsilon/);
    expect(() => new Adafactor(some, { clipThreshold: 0.5 })).toThrow(/clipThreshold of at least 1/);
    expect(() => new Adafactor(some, { epsilons: [1] as never })).toThrow(/two epsilons/);
    expect(() => new Adafactor(some, { epsilons: ["0", 0] as never })).toThrow(/two epsilons/);
    expect(() => new Adafactor(some, { beta2Decay: 1 })).toThrow(/beta2Decay of at most 0/);
    expect(() => new Muon(some)).toThrow(/parameters of two axes, got shape \[4\]; give the others to AdamW/);
    expect(() => new Muon([pair[0]], { iterations: 100 })).toThrow(/iterations in \[0, 100\)/);
    expect(() => new Muon([pair[0]], { adjustment: "none" as never })).toThrow(/original or matchRmsAdamw/);
    expect(() => new Rprop(some, { etas: [1.2, 0.5] })).toThrow(/one factor in \(0, 1\) and one above 1/);
    expect(() => new Rprop(some, { stepSizes: [1, 0] })).toThrow(/smallest step .* got 1,0/);
    expect(() => new ASGD(some, { averageFrom: -1 })).toThrow(/averageFrom of at least 0, got -1/);
    const group = (options: object) => [{ parameters: pair, options }];
    expect(() => new Adam(group({ amsgrad: "false" }))).toThrow(/Adam: expected amsgrad true or false/);
    expect(() => new Adam(group({ lr: 1 }))).toThrow(/Adam: expected options .*, got one named lr/);
    for (const parameter of pair) parameter.dispose();
  });

  it("take what is undefined for the default", () => {
    const parameter = new Parameter([2], { initializer: (size) => zeros(size) });
    const unset = { learningRate: undefined, amsgrad: undefined };
    const { options } = new Adam([{ parameters: [parameter], options: unset }], unset).groups[0];
    expect(options).toEqual(new Adam([parameter]).groups[0].options);
    const { options: all } = new LBFGS([parameter], { maxIterations: 8, maxEvaluations: undefined });
    expect(all).toMatchObject({ maxEvaluations: 10, lineSearch: "none" });
  });
});
