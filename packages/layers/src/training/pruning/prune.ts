import { InputError } from "@ai/tensor";
import { Sequential } from "../../containers.js";
import { Conv2d } from "../../conv.js";
import { Conv1d, Conv3d } from "../../conv-nd.js";
import { Linear } from "../../linear.js";
import type { AnyModule } from "../../module.js";
import { BatchNorm1d, BatchNorm2d } from "../../normalization.js";
import type { Parameter } from "../../parameter.js";
import { formatColumns } from "../../structure/format-columns.js";
import { assertOptionNames } from "../option-names.js";
import {
  assertAmount,
  type OwnedParameter,
  ownedParameters,
  pickParameters,
  readPruned,
  removeMask,
  roundHalfEven,
  setMask,
} from "./masks.js";

/** Options of {@link pruneWeights}. */
export interface PruneWeightsOptions {
  /** Share of the numbers that are left to set to 0, in [0, 1); 0 only adds masks. */
  readonly amount: number;
  /** The smallest of each parameter (default), or of all together. */
  readonly scope?: "layer" | "global";
  /** Which parameters. Default those with two axes or more, tables and adapters excepted. */
  readonly predicate?: (path: string, parameter: Parameter) => boolean;
}

/** Options of {@link pruneChannels}. */
export interface PruneChannelsOptions {
  /** Share of the outputs that are left of each layer to set to 0, in [0, 1). */
  readonly amount: number;
  /** What an output's weights are measured by: their sum of magnitudes or their length. Default 2. */
  readonly norm?: 1 | 2;
  /** Which of the linear layers and convolutions. Default all of them. */
  readonly predicate?: (path: string, layer: AnyModule) => boolean;
}

/** How much of one parameter is 0. */
export interface SparsityRow {
  readonly path: string;
  readonly numbers: number;
  readonly zeros: number;
  /** Whether a mask keeps them at 0. */
  readonly masked: boolean;
}

/** What {@link sparsityReport} found; `String(report)` is a table. */
export interface SparsityReport {
  readonly rows: readonly SparsityRow[];
  readonly numbers: number;
  readonly zeros: number;
  toString(): string;
}

/** Of the numbers that `mask` leaves, the indices of the `amount` smallest; the first of equals go first. */
function smallest(scores: Float32Array | Float64Array, mask: Float32Array, amount: number): number[] {
  const left = [...scores.keys()].filter((index) => mask[index] !== 0);
  const count = roundHalfEven(amount * left.length);
  return left.sort((a, b) => scores[a] - scores[b] || a - b).slice(0, count);
}

/**
 * Sets the smallest weights to 0 and keeps them there: whatever optimizer trains on, with momentum or decay. Once more
 * prunes of what is left. The masks are states of the modules, `weight_mask` as in PyTorch: checkpoints hold them, and a
 * model that is to load one is pruned by the same call first.
 * @throws InputError for options that do not exist or fit, or when nothing is picked.
 * @see Han et al. (2015), "Learning both weights and connections for efficient neural networks", https://arxiv.org/abs/1506.02626
 * @example
 * await pruneWeights(model, { amount: 0.8, scope: "global" });
 * await trainer.fit(loader, { epochs: 2 }); // what was pruned stays 0
 * makePruningPermanent(model);
 */
export async function pruneWeights(model: AnyModule, options: PruneWeightsOptions): Promise<void> {
  assertOptionNames("pruneWeights", options, ["amount", "scope", "predicate"]);
  const { amount, scope = "layer", predicate } = options;
  assertAmount("pruneWeights", amount);
  if (scope !== "layer" && scope !== "global")
    throw new InputError(`pruneWeights: expected scope "layer" or "global", got ${String(scope)}`);
  const picked = pickParameters("pruneWeights", model, predicate);
  const read = await Promise.all(picked.map(readPruned));
  const groups = scope === "layer" ? picked.map((_, index) => [index]) : [[...picked.keys()]];
  for (const group of groups) {
    const size = group.reduce((total, index) => total + read[index].values.length, 0);
    const [scores, masks] = [new Float32Array(size), new Float32Array(size)];
    const starts: number[] = [];
    let offset = 0;
    for (const index of group) {
      const { values, mask } = read[index];
      starts.push(offset);
      scores.set(values.map(Math.abs), offset);
      masks.set(mask, offset);
      offset += values.length;
    }
    for (const index of smallest(scores, masks, amount)) masks[index] = 0;
    group.forEach((index, position) => {
      const start = starts[position];
      setMask(picked[index], masks.slice(start, start + read[index].values.length));
    });
  }
}

/** Where the outputs of a layer's weight are: its axis. Undefined for other layers. */
function outputAxis(module: AnyModule): number | undefined {
  if (module instanceof Linear) return 0;
  if (module instanceof Conv1d || module instanceof Conv2d || module instanceof Conv3d)
    return module.weight.shape.length - 1;
  return undefined;
}

/** Which output each number of a weight belongs to. */
function outputOf(shape: readonly number[], axis: number): (index: number) => number {
  const inner = shape.slice(axis + 1).reduce((product, length) => product * length, 1);
  return (index) => Math.floor(index / inner) % shape[axis];
}

/**
 * Sets whole outputs of linear layers and convolutions to 0, those with the smallest weights, with their biases, and keeps
 * them there as {@link pruneWeights} does. In a Sequential a batch norm right behind gives 0 for them too, and
 * {@link removePrunedChannels} then makes the model smaller. Leave out the layer that gives the result.
 * @throws InputError for options that do not exist or fit, or when no layer is picked.
 * @see Li et al. (2017), "Pruning filters for efficient ConvNets", https://arxiv.org/abs/1608.08710
 * @example
 * await pruneChannels(model, { amount: 0.5, predicate: (path) => path !== "7" });
 */
export async function pruneChannels(model: AnyModule, options: PruneChannelsOptions): Promise<void> {
  assertOptionNames("pruneChannels", options, ["amount", "norm", "predicate"]);
  const { amount, norm = 2, predicate } = options;
  assertAmount("pruneChannels", amount);
  if (norm !== 1 && norm !== 2)
    throw new InputError(`pruneChannels: expected norm 1 or 2, got ${String(norm)}`);
  const owned = ownedParameters("pruneChannels", model);
  const of = (module: AnyModule, name: string): OwnedParameter | undefined =>
    owned.find((entry) => entry.module === module && entry.name === name);
  const picked = model
    .namedModules()
    .flatMap(([path, module]) =>
      outputAxis(module) !== undefined && (predicate?.(path, module) ?? true) ? [module] : [],
    );
  if (picked.length === 0)
    throw new InputError(
      "pruneChannels: expected linear layers or convolutions to prune, got none that the predicate takes",
    );
  const followers = normsBehind(model);
  for (const module of picked) {
    const weight = of(module, "weight");
    if (weight === undefined)
      throw new InputError(
        `pruneChannels: expected layers with a weight of their own, got a ${module.constructor.name} whose weight is shared or computed`,
      );
    const { shape } = weight.parameter;
    const axis = outputAxis(module)!;
    const output = outputOf(shape, axis);
    const { values, mask } = await readPruned(weight);
    const [scores, left] = [new Float64Array(shape[axis]), new Float32Array(shape[axis])];
    values.forEach((value, index) => {
      scores[output(index)] += norm === 1 ? Math.abs(value) : value * value;
      if (mask[index] !== 0) left[output(index)] = 1;
    });
    const gone = new Set(smallest(scores, left, amount));
    setMask(
      weight,
      mask.map((kept, index) => (gone.has(output(index)) ? 0 : kept)),
    );
    const follower = followers.get(module);
    const beside = [of(module, "bias")];
    if (follower !== undefined) beside.push(of(follower, "weight"), of(follower, "bias"));
    for (const entry of beside) {
      if (entry === undefined) continue;
      const before = (await readPruned(entry)).mask;
      setMask(
        entry,
        before.map((kept, index) => (gone.has(index) ? 0 : kept)),
      );
    }
  }
}

/** Batch norms by the layer right before them in a Sequential. */
function normsBehind(model: AnyModule): Map<AnyModule, AnyModule> {
  const found = new Map<AnyModule, AnyModule>();
  for (const [, module] of model.namedModules())
    if (module instanceof Sequential)
      module.layers.forEach((layer, index) => {
        const next = module.layers[index + 1];
        if (next instanceof BatchNorm1d || next instanceof BatchNorm2d)
          found.set(layer as AnyModule, next as AnyModule);
      });
  return found;
}

/** Takes the masks off a model: the zeros stay, and may be trained again. @throws InputError when there are none. */
export function makePruningPermanent(model: AnyModule): void {
  const masked = ownedParameters("makePruningPermanent", model).filter(
    ({ parameter }) => parameter.mask !== undefined,
  );
  if (masked.length === 0)
    throw new InputError("makePruningPermanent: expected a pruned model, got one without masks");
  for (const entry of masked) removeMask(entry);
}

/**
 * Counts what is 0, a parameter and in all.
 * @example
 * console.log(String(await sparsityReport(model)));
 */
export async function sparsityReport(model: AnyModule): Promise<SparsityReport> {
  const rows = await Promise.all(
    ownedParameters("sparsityReport", model).map(async (entry): Promise<SparsityRow> => {
      const { values } = await readPruned(entry);
      return {
        path: entry.path,
        numbers: values.length,
        zeros: values.reduce((count, value) => count + (value === 0 ? 1 : 0), 0),
        masked: entry.parameter.mask !== undefined,
      };
    }),
  );
  const report = {
    rows,
    numbers: rows.reduce((total, { numbers }) => total + numbers, 0),
    zeros: rows.reduce((total, { zeros }) => total + zeros, 0),
  };
  return { ...report, toString: () => format(report) };
}

function format({ rows, numbers, zeros }: Omit<SparsityReport, "toString">): string {
  const count = (value: number): string => value.toLocaleString("en-US");
  const share = (part: number, whole: number): string =>
    `${(whole === 0 ? 0 : (100 * part) / whole).toFixed(1)} %`;
  const table = formatColumns([
    ["parameter", "numbers", "zeros", "share", "mask"],
    ...rows.map((row) => [
      row.path,
      count(row.numbers),
      count(row.zeros),
      share(row.zeros, row.numbers),
      row.masked ? "yes" : "no",
    ]),
  ]);
  return `${table}\nzeros: ${count(zeros)} of ${count(numbers)} (${share(zeros, numbers)})`;
}
