import {
  add,
  dispose,
  keep,
  memory,
  mul,
  reshape,
  sum,
  type Tensor,
  transpose,
  valueAndGrad,
} from "@ai/tensor";
import { type Fixture, loadFixture, type ToleranceOptions } from "@ai/tensor/testing";
import { expect } from "vitest";
import type { AnyModule, StateDict, StateEntry } from "../index.js";

/** A layer and how the fixture of that name was made from PyTorch's. */
export interface LayerCase {
  /** Name of the case in the fixture. */
  readonly name: string;
  readonly build: () => AnyModule;
  /** Default: `module.call(...inputs)`, which gives one tensor. */
  readonly call?: (module: never, inputs: Tensor[], fixture: Fixture) => Tensor[];
  /** Evaluate instead of train. */
  readonly evaluation?: boolean;
  /** Looser than the default only with a reason beside the case. */
  readonly tolerance?: ToleranceOptions;
}

/** Loads a fixture of this package. */
export function loadLayerFixture(name: string): Promise<Fixture> {
  return loadFixture(new URL(`../../fixtures/${name}.safetensors`, import.meta.url));
}

/** The state dict that a case started from. */
export function storedState(fixture: Fixture, name: string): StateDict {
  const prefix = `${name}/state/`;
  const paths = fixture.names.filter((entry) => entry.startsWith(prefix));
  return new Map(paths.map((entry) => [entry.slice(prefix.length), fixture.host(entry) as StateEntry]));
}

function storedInputs(fixture: Fixture, name: string): Tensor[] {
  const inputs: Tensor[] = [];
  for (let index = 0; fixture.has(`${name}/input${index}`); index++)
    inputs.push(fixture.tensor(`${name}/input${index}`));
  return inputs;
}

/** Weighted sum of the outputs: its gradient with respect to each output is the stored seed. */
function weightedSum(outputs: readonly Tensor[], seeds: readonly Tensor[]): Tensor {
  return outputs
    .map((output, index) => sum(mul(output, seeds[index])))
    .reduce((total, term) => add(total, term));
}

/** Compares one case with PyTorch: outputs, gradients of inputs and parameters, changed state; nothing may leak. */
export async function expectLikeTorch(fixture: Fixture, layerCase: LayerCase): Promise<void> {
  const { name, build, evaluation = false, tolerance } = layerCase;
  const call =
    layerCase.call ?? ((module: AnyModule, inputs: Tensor[]) => [module.call(...inputs) as Tensor]);
  const before = memory();
  const module = build();
  module.loadStateDict(storedState(fixture, name));
  module.train(!evaluation);
  const inputs = storedInputs(fixture, name);
  const outputs: Tensor[] = [];
  const seeds = fixture.names
    .filter((entry) => entry.startsWith(`${name}/seed`))
    .map((_, index) => fixture.tensor(`${name}/seed${index}`));
  const differentiable = inputs.filter(({ dtype }) => dtype === "float32");
  const parameters = module.namedParameters();
  const { value, grads } = valueAndGrad(() => {
    outputs.push(...call(module as never, inputs, fixture).map((output) => keep(output)));
    return weightedSum(outputs, seeds);
  }, [...differentiable, ...parameters.map(([, parameter]) => parameter.value)]);
  expect(outputs.length, "number of outputs").toBe(seeds.length);
  const failures: string[] = [];
  const compare = async (what: string, actual: Tensor, entry: string): Promise<void> => {
    await expect(actual)
      .toBeCloseToTensor(fixture.host(`${name}/${entry}`), tolerance)
      .catch((error: Error) => failures.push(`${what}: ${error.message}`));
  };
  for (const [index, output] of outputs.entries()) await compare(`output ${index}`, output, `output${index}`);
  for (const [index, input] of differentiable.entries())
    await compare(`gradient of input ${index}`, grads[index], `gradient/input${inputs.indexOf(input)}`);
  for (const [index, [path, parameter]] of parameters.entries()) {
    const { checkpointPermutation: order } = parameter;
    const gradient = grads[differentiable.length + index];
    const stored = order === undefined ? reshape(gradient, gradient.shape) : transpose(gradient, order);
    await compare(`gradient of ${path}`, stored, `gradient/${path}`);
    stored.dispose();
  }
  await compareChangedState(fixture, name, module, failures);
  dispose([value, ...grads, ...outputs, ...inputs, ...seeds]);
  module.dispose();
  expect(failures).toEqual([]);
  expect(memory().numTensors - before.numTensors, "tensors left").toBe(0);
}

/** The whole state afterwards: what PyTorch changed as stored, the rest as it was. */
async function compareChangedState(
  fixture: Fixture,
  name: string,
  module: AnyModule,
  failures: string[],
): Promise<void> {
  for (const [path, entry] of await module.stateDict()) {
    const changed = `${name}/after/${path}`;
    const expected = fixture.host(fixture.has(changed) ? changed : `${name}/state/${path}`);
    expect(entry.shape).toEqual(expected.shape);
    const values: ArrayLike<number | bigint> = entry.values;
    const distances = Array.from(values, (value, index) => Math.abs(Number(value) - expected.values[index]));
    const distance = Math.max(0, ...distances);
    if (!(distance < 1e-6)) failures.push(`state ${path} afterwards: off by ${distance}`);
  }
}
