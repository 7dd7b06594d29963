import type { KernelBackend, TensorInfo } from "@tensorflow/tfjs-core";
import { dispatch, u32 } from "../backends/webgpu/dispatch.js";

/** Rows that one thread adds up before the chunks are added. */
const CHUNK_ROWS = 64;

/**
 * Sums over the rows of `[rows, dim]`, in two stages when there are many: chunks of rows first, then the chunks.
 * @param terms What is added up, in WGSL of `row`, `place` and `at = row·dim + place`; one output each.
 * @returns one of `[dim]` a term
 */
export function addOverRows(
  backend: KernelBackend,
  sum: {
    readonly name: string;
    readonly inputs: Readonly<Record<string, TensorInfo>>;
    readonly terms: readonly string[];
    readonly shape: readonly number[];
  },
): TensorInfo[] {
  const [rows, dim] = sum.shape;
  const chunks = Math.max(1, Math.ceil(rows / CHUNK_ROWS));
  const shape = chunks === 1 ? [dim] : [chunks, dim];
  const outputs = Object.fromEntries(
    sum.terms.map((_, term) => [`sum${term}`, { shape, dtype: "float32" }] as const),
  );
  const parts = dispatch(backend, {
    name: sum.name,
    inputs: sum.inputs,
    outputs,
    uniforms: { rows: u32(rows), dim: u32(dim) },
    threads: chunks * dim,
    body: () => `
let place = index % uniforms.dim;
let first = index / uniforms.dim * ${CHUNK_ROWS}u;
${sum.terms.map((_, term) => `var total${term} = 0.0;`).join("\n")}
for (var row = first; row < min(first + ${CHUNK_ROWS}u, uniforms.rows); row++) {
  let at = row * uniforms.dim + place;
  ${sum.terms.map((value, term) => `total${term} += ${value};`).join("\n  ")}
}
${sum.terms.map((_, term) => `sum${term}[index] = total${term};`).join("\n")}`,
  });
  if (chunks === 1) return parts;
  return parts.map((part) => {
    const [whole] = addOverRows(backend, { name: "AddChunks", inputs: { part }, terms: ["part[at]"], shape });
    backend.disposeData(part.dataId);
    return whole;
  });
}
