import type { AnyModule, StateDict } from "@ai/layers";
import {
  add,
  dispose,
  invertMapping,
  keep,
  mapWeights,
  memory,
  mul,
  read,
  reshape,
  sum,
  type Tensor,
  tidy,
  transpose,
  valueAndGrad,
  type WeightMapping,
} from "@ai/tensor";
import { type Fixture, loadFixture, type ToleranceOptions } from "@ai/tensor/testing";
import { expect } from "vitest";
import { hashText, ruledState, ruledTensor, ruledValues } from "./ruled-values.js";

/** A model and how its case in a fixture was made, see tooling/fixtures/vision/common.py. */
export interface ModelCase<Model extends AnyModule = AnyModule> {
  /** Name of the case in the fixture. */
  readonly name: string;
  readonly build: () => Model;
  /** Inputs; the first one has a gradient in the fixture. They are freed here. */
  readonly inputs: () => Tensor[];
  /** Outputs by their name in the fixture. */
  readonly call: (model: Model, inputs: Tensor[]) => Record<string, Tensor>;
  /** From the fixture's names to ours. */
  readonly mapping?: WeightMapping;
  /** Mode of the backward pass; none without it. */
  readonly gradients?: "train" | "eval";
  /** Whole models: relative 1e-4. */
  readonly tolerance?: ToleranceOptions;
}

/** Loads a fixture of this package. */
export function loadVisionFixture(name: string): Promise<Fixture> {
  return loadFixture(new URL(`../../fixtures/${name}.safetensors`, import.meta.url));
}

const TOLERANCE: ToleranceOptions = { relative: 1e-4, absoluteScale: 1e-5 };

/** Fills a model by the rule of the fixtures, through a mapping of names where there is one. @returns the names there */
export async function fillByRule(model: AnyModule, mapping?: WeightMapping): Promise<string[]> {
  const ours = await model.stateDict();
  const theirs = mapping === undefined ? ours : await rename(ours, invertMapping(mapping));
  const filled = ruledState(theirs);
  model.loadStateDict(mapping === undefined ? filled : await rename(filled, mapping));
  return [...theirs.keys()].sort();
}

async function rename(state: StateDict, mapping: WeightMapping): Promise<StateDict> {
  return mapWeights(state, mapping).hosts();
}

/** Compares a model with PyTorch's: names, stages and outputs in evaluation, gradients; loads strictly; nothing may leak. */
export async function expectModelLikeTorch<Model extends AnyModule>(
  fixture: Fixture,
  modelCase: ModelCase<Model>,
): Promise<void> {
  const { name, build, mapping, tolerance = TOLERANCE } = modelCase;
  const before = memory().numTensors;
  const model = build();
  const names = await fillByRule(model, mapping);
  expect(String(hashText(names.join("\n"))), `other names than PyTorch's: ${names.join(" ")}`).toBe(
    fixture.metadata[`${name}/names`],
  );
  model.eval();
  const inputs = modelCase.inputs();
  const failures: string[] = [];
  const compare = async (what: string, actual: Tensor): Promise<void> => {
    await expect(actual)
      .toBeCloseToTensor(fixture.host(`${name}/${what}`), tolerance)
      .catch((error: Error) => failures.push(`${what}: ${error.message}`));
    actual.dispose();
  };
  const { stages, outputs } = runWithStages(fixture, modelCase, model, inputs);
  for (const [path, stage] of stages) await compare(`stage/${path}`, stage);
  for (const [output, value] of Object.entries(outputs)) await compare(`output/${output}`, value);
  expect(failures).toEqual([]);
  if (modelCase.gradients !== undefined) await compareGradients(fixture, modelCase, model, inputs, failures);
  dispose(inputs);
  model.dispose();
  expect(failures).toEqual([]);
  expect(memory().numTensors - before, "tensors left").toBe(0);
}

function runWithStages<Model extends AnyModule>(
  fixture: Fixture,
  { name, call }: ModelCase<Model>,
  model: Model,
  inputs: Tensor[],
): { stages: Map<string, Tensor>; outputs: Record<string, Tensor> } {
  const stages = new Map<string, Tensor>();
  const prefix = `${name}/stage/`;
  const wanted = fixture.names
    .filter((entry) => entry.startsWith(prefix))
    .map((entry) => entry.slice(prefix.length));
  const modules = new Map(model.namedModules());
  const removes = wanted.map((path) => {
    const module = modules.get(path);
    if (module === undefined) throw new Error(`${name}: no module ${path}; there are ${[...modules.keys()]}`);
    return module.registerForwardHook((_, __, output) => {
      const first = output as Tensor & { readonly output?: Tensor };
      const value = first.output ?? first;
      if (!stages.has(path)) stages.set(path, keep(reshape(value, value.shape)));
      return undefined;
    });
  });
  const outputs = call(model, inputs);
  for (const remove of removes) remove();
  expect([...stages.keys()].sort()).toEqual(wanted.sort());
  return { stages, outputs };
}

async function compareGradients<Model extends AnyModule>(
  fixture: Fixture,
  { name, call, mapping, gradients }: ModelCase<Model>,
  model: Model,
  inputs: Tensor[],
  failures: string[],
): Promise<void> {
  model.train(gradients === "train");
  const trained = model.namedParameters();
  const { value, grads } = valueAndGrad(
    () =>
      tidy(() =>
        Object.entries(call(model, inputs))
          .map(([output, tensor]) => sum(mul(tensor, ruledTensor(`cotangent/${output}`, tensor.shape))))
          .reduce((total, term) => add(total, term)),
      ),
    [inputs[0], ...trained.map(([, parameter]) => parameter.value)],
  );
  await expect(value)
    .toBeCloseToTensor(fixture.host(`${name}/loss`), { relative: 1e-3 })
    .catch((error: Error) => failures.push(`loss: ${error.message}`));
  const ours = new Map<string, { dtype: "float32"; shape: readonly number[]; values: Float32Array }>();
  for (const [index, [path, { checkpointPermutation }]] of trained.entries()) {
    const stored =
      checkpointPermutation === undefined
        ? reshape(grads[index + 1], grads[index + 1].shape)
        : transpose(grads[index + 1], checkpointPermutation);
    ours.set(path, { dtype: "float32", shape: stored.shape, values: (await read(stored)) as Float32Array });
    stored.dispose();
  }
  const theirs = new Map(mapping === undefined ? ours : await rename(ours as never, invertMapping(mapping)));
  const input = {
    dtype: "float32",
    shape: grads[0].shape,
    values: (await read(grads[0])) as Float32Array,
  } as const;
  const sorted = [...theirs].sort(([a], [b]) => (a < b ? -1 : 1));
  dispose([value, ...grads]);
  const { values: projections } = fixture.host(`${name}/projection`);
  const { values: norms } = fixture.host(`${name}/norm`);
  const largest = Math.max(...norms);
  expect(projections.length).toBe(sorted.length + 1);
  for (const [index, [path, gradient]] of [["input", input] as const, ...sorted].entries()) {
    const weights = ruledValues(`projection/${path}`, gradient.shape);
    const values = gradient.values as ArrayLike<number>;
    let dot = 0;
    for (let element = 0; element < weights.length; element++) dot += weights[element] * values[element];
    // the dot product with numbers of size 1 is about as large as the gradient; that of a bias before a batch norm is rounding
    if (!(Math.abs(dot - projections[index]) <= 5e-4 * norms[index] + 1e-6 * largest))
      failures.push(`gradient of ${path}: ${dot} is not ${projections[index]} (length ${norms[index]})`);
  }
}
