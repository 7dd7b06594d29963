import { type DType, dispose, type Shape, type Tensor, zeros } from "@ai/tensor";
import type { AnyModule } from "./module.js";
import { allParameters, heldParameters, sizeOfParameters } from "./module-fields.js";
import type { Parameter } from "./parameter.js";

/** Shape and dtype of an input. */
export interface InputDescription {
  readonly shape: Shape;
  /** Default float32. */
  readonly dtype?: DType;
}

/** One call of one layer. */
export interface SummaryRow {
  /** Path of the layer; `""` for the module itself. */
  readonly path: string;
  /** Class of the layer. */
  readonly layer: string;
  /** Shapes of the tensors that it returned. */
  readonly outputShapes: readonly Shape[];
  /** Numbers in its own parameters, without its submodules'; 0 where an earlier row counts them. */
  readonly parameters: number;
  /** Of these, the ones that an optimizer may change: not frozen, not of few bits. */
  readonly trainableParameters: number;
  /** Bytes of its own parameters as they are stored. */
  readonly parameterBytes: number;
  /** Multiply-adds of its own, without its submodules'. */
  readonly multiplyAdds: number;
}

/** What {@link Module.summary} found; `String(summary)` is a table. */
export interface ModuleSummary {
  /** Layers in the order in which they were called, each before its submodules. */
  readonly rows: readonly SummaryRow[];
  /** Numbers in all parameters, shared ones once; those of quantized weights too. */
  readonly parameters: number;
  /** Of these, the ones that an optimizer may change: not frozen, not of few bits. */
  readonly trainableParameters: number;
  /** Bytes of all parameters as they are stored. */
  readonly parameterBytes: number;
  readonly multiplyAdds: number;
  toString(): string;
}

/** Runs zeros through a module in evaluation mode and notes what each layer did. */
export function summarize(module: AnyModule, inputs: readonly (Shape | InputDescription)[]): ModuleSummary {
  const named = module.namedModules();
  const modes = named.map(([, layer]) => layer.training);
  const rows: (SummaryRow | undefined)[] = [];
  const counted = new Set<Parameter>();
  const open: number[] = [];
  const removers = named.flatMap(([path, layer]) => [
    layer.registerForwardPreHook(() => {
      open.push(rows.length);
      rows.push(undefined);
    }),
    layer.registerForwardHook((_, given, output) => {
      rows[open.pop()!] = {
        path,
        layer: layer.constructor.name,
        outputShapes: tensorsIn(output).map(({ shape }) => shape),
        ...sizeOfParameters(uncounted(layer, counted)),
        multiplyAdds: layer.multiplyAdds(given, output),
      };
    }),
  ]);
  const tensors = inputs.map((input) => ("shape" in input ? zeros(input.shape, input.dtype) : zeros(input)));
  try {
    module.eval();
    dispose(tensorsIn(module.call(...tensors)));
  } finally {
    dispose(tensors);
    for (const remove of removers) remove();
    named.forEach(([, layer], index) => {
      layer.training = modes[index];
    });
  }
  const finished = rows.filter((row) => row !== undefined);
  const summary = {
    rows: finished,
    ...sizeOfParameters(allParameters(module)),
    multiplyAdds: finished.reduce((total, row) => total + row.multiplyAdds, 0),
  };
  return { ...summary, toString: () => formatSummary(summary) };
}

/** A layer's own parameters that no earlier row counted. */
function uncounted(layer: AnyModule, counted: Set<Parameter>): Parameter[] {
  const own = [...new Set(heldParameters(layer))].filter((parameter) => !counted.has(parameter));
  for (const parameter of own) counted.add(parameter);
  return own;
}

/** Tensors in nested arrays and plain objects. */
export function tensorsIn(value: unknown): Tensor[] {
  if (typeof value !== "object" || value === null) return [];
  if ("dataId" in value) return [value as Tensor];
  const isNested = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
  return isNested ? Object.values(value).flatMap(tensorsIn) : [];
}

function formatSummary({
  rows,
  parameters,
  trainableParameters,
  parameterBytes,
  multiplyAdds,
}: Omit<ModuleSummary, "toString">): string {
  const number = (value: number): string => value.toLocaleString("en-US");
  // where all can be trained a column would say the same again
  const partly = trainableParameters < parameters;
  const table = [
    ["layer", "output", "parameters", ...(partly ? ["trainable"] : []), "multiply-adds"],
    ...rows.map((row) => [
      `${"  ".repeat(row.path === "" ? 0 : row.path.split(".").length)}${row.path === "" ? "" : `${row.path.split(".").at(-1)}: `}${row.layer}`,
      row.outputShapes.map((shape) => `[${shape.join(", ")}]`).join(" "),
      number(row.parameters),
      ...(partly ? [number(row.trainableParameters)] : []),
      number(row.multiplyAdds),
    ]),
  ];
  const widths = table[0].map((_, column) => Math.max(...table.map((cells) => cells[column].length)));
  const lines = table.map((cells) =>
    cells
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join("  ")
      .trimEnd(),
  );
  const rule = "─".repeat(widths.reduce((total, width) => total + width + 2, -2));
  return [
    lines[0],
    rule,
    ...lines.slice(1),
    rule,
    `parameters: ${number(parameters)} (${number(trainableParameters)} trainable), ${number(parameterBytes)} bytes`,
    `multiply-adds: ${number(multiplyAdds)}`,
  ].join("\n");
}
