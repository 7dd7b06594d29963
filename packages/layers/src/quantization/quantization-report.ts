import {
  dequantizeWeight,
  dispose,
  div,
  InputError,
  keep,
  noGrad,
  norm,
  type QuantizeOptions,
  read,
  reshape,
  square,
  sub,
  sum,
  type Tensor,
  tidy,
  transpose,
} from "@ai/tensor";
import { Conv2d } from "../conv.js";
import type { AnyModule } from "../module.js";
import { formatColumns } from "../structure/format-columns.js";
import { tensorsIn } from "../summary.js";
import { assertOptionNames } from "../training/option-names.js";
import {
  pickLayers,
  QUANTIZE_OPTIONS,
  type QuantizeModelOptions,
  quantizedLayers,
} from "./quantize-model.js";
import type { QuantizableLayer, QuantizedLayer } from "./quantized-layers.js";

/** Options of {@link quantizationReport}. */
export interface QuantizationReportOptions extends QuantizeModelOptions {
  /** Inputs of calls of the model, each a list of arguments. */
  readonly sampleInputs?: readonly (readonly unknown[])[];
  /** Measures the model on its task, such as accuracy; called before and after. */
  readonly metric?: () => number | Promise<number>;
}

/** What quantization costs one layer. */
export interface QuantizationRow {
  readonly path: string;
  readonly layer: string;
  readonly bits: 8 | 4;
  readonly groupSize: number;
  /** Bytes of its weight, scales included. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** `‖W − Ŵ‖ / ‖W‖` */
  readonly weightError: number;
  /** `‖y − ŷ‖ / ‖y‖` over its calls on the samples, each from the inputs of the float32 model; undefined without samples. */
  readonly outputError: number | undefined;
}

/** What {@link quantizationReport} found; `String(report)` is a table. */
export interface QuantizationReport {
  readonly layers: readonly QuantizationRow[];
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
 * What {@link quantizeModel} with the same options would cost, without changing the model: size, error a layer, error of
 * the result and the task's metric before and after, as data and as a table.
 * @throws InputError for options that do not exist or fit, or when no layer is picked.
 * @example
 * const report = await quantizationReport(model, { bits: 4, sampleInputs: [[images]], metric: () => accuracyOf(model) });
 * console.log(String(report));
 */
export async function quantizationReport(
  model: AnyModule,
  options: QuantizationReportOptions = {},
): Promise<QuantizationReport> {
  assertOptionNames("quantizationReport", options, [...QUANTIZE_OPTIONS, "sampleInputs", "metric"]);
  const { predicate, sampleInputs = [], metric, ...how } = options;
  if (!Array.isArray(sampleInputs) || !sampleInputs.every(Array.isArray))
    throw new InputError("quantizationReport: expected sampleInputs as a list of lists of arguments");
  const picked = pickLayers("quantizationReport", model, predicate);
  const small = quantizedLayers(picked, how as QuantizeOptions);
  const modes = model.namedModules().map(([, module]) => [module, module.training] as const);
  const copyBias = (layer: AnyModule, made: QuantizedLayer): void => {
    const bias = (layer as { bias?: { value: Tensor } }).bias;
    const own = (made as { bias?: { setValue(value: Tensor): void } }).bias;
    if (bias !== undefined) own?.setValue(noGrad(() => tidy(() => reshape(bias.value, bias.value.shape))));
  };
  for (const [layer, made] of small) copyBias(layer, made.eval());
  try {
    model.eval();
    const rows = await layerErrors(model, picked, small, sampleInputs);
    const metricBefore = await metric?.();
    model.eval();
    const outputs = sampleInputs.map((inputs) => callKept(model, inputs));
    const removers = [...small].map(([layer, made]) =>
      layer.registerForwardHook((_, [x]) => made.call(x as Tensor)),
    );
    try {
      const outputError = await errorOfOutputs(model, sampleInputs, outputs);
      const metricAfter = await metric?.();
      const bytesBefore = 4 * model.parameters().reduce((total, { value }) => total + value.size, 0);
      const saved = rows.reduce((total, row) => total + row.bytesBefore - row.bytesAfter, 0);
      const report = { layers: rows, bytesBefore, bytesAfter: bytesBefore - saved, outputError };
      const whole = { ...report, metricBefore, metricAfter };
      return { ...whole, toString: () => format(whole) };
    } finally {
      for (const remove of removers) remove();
      dispose(outputs);
    }
  } finally {
    for (const [module, training] of modes) module.training = training;
    for (const made of small.values()) made.dispose();
  }
}

/** A model's results on one sample, flat and kept. */
function callKept(model: AnyModule, inputs: readonly unknown[]): Tensor[] {
  return tidy(() =>
    tensorsIn(model.call(...inputs))
      .filter(({ dtype }) => dtype === "float32")
      .map((output) => keep(reshape(output, [-1]))),
  );
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

async function layerErrors(
  model: AnyModule,
  picked: readonly (readonly [string, QuantizableLayer])[],
  small: ReadonlyMap<AnyModule, QuantizedLayer>,
  sampleInputs: readonly (readonly unknown[])[],
): Promise<QuantizationRow[]> {
  const pairs = new Map<AnyModule, [Tensor, Tensor][]>();
  const removers = [...small].map(([layer, made]) => {
    const found: [Tensor, Tensor][] = [];
    pairs.set(layer, found);
    return layer.registerForwardHook((_, [x], output) => {
      found.push(noGrad(() => tidy(() => squares(output as Tensor, made.call(x as Tensor)))));
      return undefined;
    });
  });
  try {
    for (const inputs of sampleInputs) dispose(callKept(model, inputs));
  } finally {
    for (const remove of removers) remove();
  }
  const rows = picked.map(async ([path, layer]): Promise<QuantizationRow> => {
    const made = small.get(layer as unknown as AnyModule)!;
    const error = tidy(() => {
      const matrix = matrixOf(layer);
      const difference = norm(sub(matrix, dequantizeWeight(made.quantizedWeight())));
      return div(difference, norm(matrix));
    });
    const [weightError] = await read(error);
    error.dispose();
    return {
      path,
      layer: layer.constructor.name,
      bits: made.bits,
      groupSize: made.groupSize,
      bytesBefore: 4 * layer.weight.value.size,
      bytesAfter: made.weightBytes,
      weightError: Number.isNaN(weightError) ? 0 : weightError,
      outputError: await relativeError(pairs.get(layer as unknown as AnyModule)!),
    };
  });
  return Promise.all(rows);
}

/** A weight as the quantized layer has it. */
function matrixOf(layer: QuantizableLayer): Tensor {
  const { value } = layer.weight;
  return layer instanceof Conv2d ? reshape(transpose(value, [3, 2, 0, 1]), [layer.outChannels, -1]) : value;
}

function format(report: Omit<QuantizationReport, "toString">): string {
  const bytes = (value: number): string => value.toLocaleString("en-US");
  const percent = (value: number | undefined): string =>
    value === undefined ? "" : `${(100 * value).toPrecision(3)} %`;
  const lines = formatColumns(
    [
      ["layer", "kind", "bits", "group", "bytes before", "after", "weight error", "output error"],
      ...report.layers.map((row) => [
        row.path,
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
  const { bytesBefore, bytesAfter, outputError, metricBefore, metricAfter } = report;
  return [
    lines,
    `model: ${bytes(bytesBefore)} bytes to ${bytes(bytesAfter)} (${(bytesBefore / bytesAfter).toFixed(2)} times smaller)`,
    ...(outputError === undefined ? [] : [`output error: ${percent(outputError)}`]),
    ...(metricBefore === undefined ? [] : [`metric: ${metricBefore} before, ${metricAfter} after`]),
  ].join("\n");
}
