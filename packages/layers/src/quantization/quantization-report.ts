import {
  dispose,
  div,
  InputError,
  keep,
  noGrad,
  norm,
  read,
  reshape,
  square,
  sub,
  sum,
  type Tensor,
  tidy,
} from "@ai/tensor";
import type { AnyModule } from "../module.js";
import { allParameters, sizeOfParameters } from "../module-fields.js";
import { join } from "../module-tree.js";
import type { Parameter } from "../parameter.js";
import { formatColumns } from "../structure/format-columns.js";
import { tensorsIn } from "../summary.js";
import { assertOptionNames } from "../training/option-names.js";
import {
  type ModuleWeight,
  pickWeights,
  quantizedForms,
  type UnquantizedWeight,
} from "./quantizable-weights.js";
import { placesOf, QUANTIZE_OPTIONS, type QuantizeModelOptions } from "./quantize-model.js";
import type { QuantizedParameter } from "./quantized-parameter.js";

/** Options of {@link quantizationReport}. */
export interface QuantizationReportOptions extends QuantizeModelOptions {
  /** Inputs of calls of the model, each a list of arguments. */
  readonly sampleInputs?: readonly (readonly unknown[])[];
  /** Measures the model on its task, such as accuracy; called before and after. */
  readonly metric?: () => number | Promise<number>;
}

/** What quantization costs one weight. */
export interface QuantizationRow {
  /** Path of its layer. */
  readonly path: string;
  /** Its name below the layer, such as `weight` or `in_proj_weight`. */
  readonly weight: string;
  /** Class of the layer. */
  readonly layer: string;
  readonly bits: 8 | 4;
  readonly groupSize: number;
  /** Bytes of the weight, scales included. A weight that layers share counts at the first. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** `‖W − Ŵ‖ / ‖W‖` */
  readonly weightError: number;
  /**
   * `‖y − ŷ‖ / ‖y‖` of the layer with this weight alone quantized, over its calls on the samples, each from the inputs of
   * the float32 model; undefined without samples, or when they do not reach it.
   */
  readonly outputError: number | undefined;
}

/** What {@link quantizationReport} found; `String(report)` is a table. */
export interface QuantizationReport {
  /** One row a weight that gets fewer bits. */
  readonly layers: readonly QuantizationRow[];
  /** Every other parameter, and why it stays float32. */
  readonly left: readonly UnquantizedWeight[];
  /** Bytes of all parameters. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Of the whole model on the samples, `‖y − ŷ‖ / ‖y‖`; undefined without samples. */
  readonly outputError: number | undefined;
  /** Undefined without a metric. */
  readonly metricBefore: number | undefined;
  readonly metricAfter: number | undefined;
  toString(): string;
}

/**
 * What {@link quantizeModel} with the same options would cost, without changing the model: size and error a weight, error of
 * the result and the task's metric before and after, and what stays float32 and why; as data and as a table.
 * @throws InputError for options that do not exist or fit, or when no weight is picked.
 * @example
 * const report = await quantizationReport(model, { bits: 4, sampleInputs: [[images]], metric: () => accuracyOf(model) });
 * console.log(String(report));
 */
export async function quantizationReport(
  model: AnyModule,
  options: QuantizationReportOptions = {},
): Promise<QuantizationReport> {
  assertOptionNames("quantizationReport", options, [...QUANTIZE_OPTIONS, "sampleInputs", "metric"]);
  const { sampleInputs = [], metric, ...picking } = options;
  if (!Array.isArray(sampleInputs) || !sampleInputs.every(Array.isArray))
    throw new InputError("quantizationReport: expected sampleInputs as a list of lists of arguments");
  const { predicate: _, ...how } = picking;
  const { picked, left } = pickWeights("quantizationReport", model, picking);
  const small = quantizedForms(picked, how);
  const modes = model.namedModules().map(([, module]) => [module, module.training] as const);
  let outputs: Tensor[][] = [];
  try {
    model.eval();
    const rows = await weightErrors(model, picked, small, sampleInputs);
    const bytesBefore = sizeOfParameters(allParameters(model)).parameterBytes;
    const metricBefore = await metric?.();
    model.eval();
    outputs = sampleInputs.map((inputs) => callKept(model, inputs));
    const putBack = exchangeFor(model, small);
    try {
      const outputError = await errorOfOutputs(model, sampleInputs, outputs);
      const metricAfter = await metric?.();
      const saved = rows.reduce((total, row) => total + row.bytesBefore - row.bytesAfter, 0);
      const report = { layers: rows, left, bytesBefore, bytesAfter: bytesBefore - saved, outputError };
      const whole = { ...report, metricBefore, metricAfter };
      return { ...whole, toString: () => format(whole) };
    } finally {
      putBack();
    }
  } finally {
    dispose(outputs);
    for (const [module, training] of modes) module.training = training;
    for (const made of small.values()) made.dispose();
  }
}

/** Puts small weights in their places. @returns a function that puts the parameters back. */
function exchangeFor(model: AnyModule, small: ReadonlyMap<Parameter, QuantizedParameter>): () => void {
  const places = placesOf(model, small);
  for (const { holder, key, target } of places) holder[key] = small.get(target as Parameter);
  return () => {
    for (const { holder, key, target } of places) holder[key] = target;
  };
}

/** A model's results on one sample, flat and kept. */
function callKept(model: AnyModule, inputs: readonly unknown[]): Tensor[] {
  return tidy(() => floatsIn(model.call(...inputs)).map((output) => keep(reshape(output, [-1]))));
}

function floatsIn(output: unknown): Tensor[] {
  return tensorsIn(output).filter(({ dtype }) => dtype === "float32");
}

/** Sum of squares of the difference and of the expected, `[2]` each, the caller's. */
function squares(expected: Tensor, actual: Tensor): [Tensor, Tensor] {
  return tidy(() => [keep(sum(square(sub(expected, actual)))), keep(sum(square(expected)))]);
}

/** Root of the ratio of two sums of scalars. The tensors are freed. */
async function relativeError(pairs: readonly (readonly [Tensor, Tensor])[]): Promise<number | undefined> {
  const values = await Promise.all(
    pairs.map((pair) => Promise.all(pair.map(async (x) => (await read(x))[0]))),
  );
  dispose(pairs);
  const [error, size] = [0, 1].map((index) => values.reduce((total, pair) => total + pair[index], 0));
  if (pairs.length === 0) return undefined;
  return size === 0 ? Math.sqrt(error) : Math.sqrt(error / size);
}

async function errorOfOutputs(
  model: AnyModule,
  sampleInputs: readonly (readonly unknown[])[],
  expected: readonly Tensor[][],
): Promise<number | undefined> {
  const pairs = sampleInputs.flatMap((inputs, index) => {
    const outputs = callKept(model, inputs);
    const found = outputs.map((output, part) => squares(expected[index][part], output));
    dispose(outputs);
    return found;
  });
  return relativeError(pairs);
}

/** A row a weight. Each sample runs through the float32 model; a layer that was called is called again with its small weights. */
async function weightErrors(
  model: AnyModule,
  picked: readonly ModuleWeight[],
  small: ReadonlyMap<Parameter, QuantizedParameter>,
  sampleInputs: readonly (readonly unknown[])[],
): Promise<QuantizationRow[]> {
  const pairs = new Map<ModuleWeight, [Tensor, Tensor][]>(picked.map((weight) => [weight, []]));
  let measuring = false;
  const measure = (weight: ModuleWeight, inputs: readonly unknown[], output: unknown): void => {
    const { module, parameter } = weight;
    const putBack = exchangeFor(module, new Map([[parameter, small.get(parameter)!]]));
    try {
      noGrad(() =>
        tidy(() => {
          const actual = floatsIn(module.call(...inputs));
          floatsIn(output).forEach((expected, index) => {
            pairs.get(weight)!.push(squares(expected, actual[index]));
          });
        }),
      );
    } finally {
      putBack();
    }
  };
  const modules = new Set(picked.map(({ module }) => module));
  const removers = [...modules].map((module) =>
    module.registerForwardHook((_, inputs, output) => {
      if (measuring) return undefined;
      measuring = true;
      try {
        for (const weight of picked) if (weight.module === module) measure(weight, inputs, output);
      } finally {
        measuring = false;
      }
      return undefined;
    }),
  );
  try {
    for (const inputs of sampleInputs) dispose(callKept(model, inputs));
  } catch (error) {
    dispose([...pairs.values()]);
    throw error;
  } finally {
    for (const remove of removers) remove();
  }
  const counted = new Set<Parameter>();
  const rows = picked.map(async (weight): Promise<QuantizationRow> => {
    const { path, name, module, parameter } = weight;
    const made = small.get(parameter)!;
    const error = noGrad(() =>
      tidy(() => div(norm(sub(parameter.value, made.value)), norm(parameter.value))),
    );
    const isFirst = !counted.has(parameter);
    counted.add(parameter);
    const [weightError] = await read(error);
    error.dispose();
    return {
      path,
      weight: name,
      layer: module.constructor.name,
      bits: made.bits,
      groupSize: made.groupSize,
      bytesBefore: isFirst ? parameter.bytes : 0,
      bytesAfter: isFirst ? made.bytes : 0,
      weightError: Number.isNaN(weightError) ? 0 : weightError,
      outputError: await relativeError(pairs.get(weight)!),
    };
  });
  return Promise.all(rows);
}

function format(report: Omit<QuantizationReport, "toString">): string {
  const bytes = (value: number): string => value.toLocaleString("en-US");
  const percent = (value: number | undefined): string =>
    value === undefined ? "" : `${(100 * value).toPrecision(3)} %`;
  const lines = formatColumns(
    [
      ["weight", "layer", "bits", "group", "bytes before", "after", "weight error", "output error"],
      ...report.layers.map((row) => [
        join(row.path, row.weight),
        row.layer,
        String(row.bits),
        String(row.groupSize),
        bytes(row.bytesBefore),
        bytes(row.bytesAfter),
        percent(row.weightError),
        percent(row.outputError),
      ]),
    ],
    2,
  );
  const { left, bytesBefore, bytesAfter, outputError, metricBefore, metricAfter } = report;
  return [
    lines,
    ...(left.length === 0 ? [] : [formatLeft(left, bytes)]),
    `model: ${bytes(bytesBefore)} bytes to ${bytes(bytesAfter)} (${(bytesBefore / bytesAfter).toFixed(2)} times smaller)`,
    ...(outputError === undefined ? [] : [`output error: ${percent(outputError)}`]),
    ...(metricBefore === undefined ? [] : [`metric: ${metricBefore} before, ${metricAfter} after`]),
  ].join("\n");
}

/** A line a weight; the vectors, which are many and small, have one together. */
function formatLeft(left: readonly UnquantizedWeight[], bytes: (value: number) => string): string {
  const vectors = left.filter(({ shape }) => shape.length < 2);
  const others = left.filter(({ shape }) => shape.length >= 2);
  const size = vectors.reduce((total, vector) => total + vector.bytes, 0);
  return formatColumns(
    [
      ["stays float32", "shape", "because", "bytes"],
      ...others.map((row) => [row.path, `[${row.shape.join(", ")}]`, row.reason, bytes(row.bytes)]),
      ...(vectors.length === 0
        ? []
        : [[`${vectors.length} vectors`, "", "biases, norms and the like", bytes(size)]]),
    ],
    3,
  );
}
