import type { Tensor } from "@tensorflow/tfjs-core";
import { expect } from "vitest";
import { grad, valueAndGrad } from "../autograd.js";
import { dispose, tidy } from "../memory.js";
import { add, mul } from "../ops/arithmetic.js";
import { sum } from "../ops/reduce.js";
import { scalar } from "../tensor.js";
import type { Fixture } from "./fixtures.js";
import { difference, type ToleranceOptions } from "./matcher.js";

function weighted(values: readonly Tensor[], seeds: readonly Tensor[]): Tensor {
  return values.reduce((total, value, index) => add(total, sum(mul(value, seeds[index]))), scalar(0));
}

/**
 * Runs a function on the inputs of a stored case and compares outputs with `CASE/outputN`, gradients with `CASE/gradN`
 * and, when the fixture has them, second derivatives with `CASE/secondN` (see `tooling/fixtures/tensor/kernels.py`).
 * @param compute Gets the tensors `CASE/input0`, `CASE/input1` … and returns the outputs.
 */
export async function expectFixtureCase(
  fixture: Fixture,
  name: string,
  compute: (inputs: Tensor[]) => Tensor | Tensor[],
  options: ToleranceOptions = {},
): Promise<void> {
  const load = (kind: string): Tensor[] => {
    const loaded: Tensor[] = [];
    while (fixture.has(`${name}/${kind}${loaded.length}`))
      loaded.push(fixture.tensor(`${name}/${kind}${loaded.length}`));
    return loaded;
  };
  const inputs = load("input");
  const seeds = load("seed");
  expect(inputs.length, `inputs of ${name}`).toBeGreaterThan(0);
  const compare = async (kind: string, actual: Tensor | null): Promise<void> => {
    const expected = fixture.host(`${name}/${kind}`);
    if (actual === null)
      return expect(
        [...expected.values].every((value) => value === 0),
        `${name}/${kind} is 0`,
      ).toBe(true);
    expect(await difference(actual, expected, options), `${name}/${kind}`).toBeUndefined();
  };

  const outputs = [tidy(() => compute(inputs))].flat();
  for (const [index, output] of outputs.entries()) await compare(`output${index}`, output);
  dispose(outputs);

  const wanted = inputs.flatMap((_, index) => (fixture.has(`${name}/grad${index}`) ? [index] : []));
  if (wanted.length === 0) return dispose([inputs, seeds]);
  const differentiated = wanted.map((index) => inputs[index]);
  const loss = (): Tensor => weighted([compute(inputs)].flat(), seeds);
  const first = valueAndGrad(loss, differentiated);
  for (const [at, index] of wanted.entries()) await compare(`grad${index}`, first.grads[at]);
  dispose([first.value, ...first.grads]);

  if (wanted.some((index) => fixture.has(`${name}/second${index}`))) {
    const gradSeeds = wanted.map((index) => fixture.tensor(`${name}/gradSeed${index}`));
    const second = valueAndGrad(() => weighted(grad(loss, differentiated), gradSeeds), differentiated, {
      allowUnused: true,
    });
    for (const [at, index] of wanted.entries()) await compare(`second${index}`, second.grads[at]);
    dispose([second.value, second.grads, gradSeeds]);
  }
  dispose([inputs, seeds]);
}
