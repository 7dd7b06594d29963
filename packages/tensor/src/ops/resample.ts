import type { Tensor } from "@tensorflow/tfjs-core";
import { resampleOnHost } from "../backends/host/resample.js";
import { resampleWasm } from "../backends/wasm/ops/resample.js";
import { resampleWebgpu } from "../backends/webgpu/kernels/resample.js";
import { resampleGradient } from "../gradients/resample.js";
import { defineKernel } from "../kernels/define-kernel.js";

/**
 * A banded matrix that maps an axis of `length` cells to `starts.length` cells:
 * `y[o] = Σ_j weights[offsets[o] + j] · x[starts[o] + j]` for `j < offsets[o + 1] − offsets[o]`.
 */
export interface ResampleTable {
  readonly length: number;
  readonly starts: Int32Array;
  readonly offsets: Int32Array;
  readonly weights: Float32Array;
}

export type ResampleAttributes = { table: ResampleTable };

/** x `[outer, length, inner]` → `[outer, table.starts.length, inner]`. */
const resampleKernel = /* @__PURE__ */ defineKernel<{ x: Tensor }, ResampleAttributes>({
  name: "Resample",
  implementations: {
    cpu: resampleOnHost,
    wasm: (call) => resampleWasm(call) ?? resampleOnHost(call),
    webgpu: (call) => resampleWebgpu(call),
  },
  gradient: resampleGradient,
});

/** Applies a table along the middle axis. @param x `[outer, length, inner]` @internal */
export function resample(x: Tensor, table: ResampleTable): Tensor {
  return resampleKernel({ x }, { table });
}

/** One cell of a result: weights of the input cells from `start` on. */
export interface ResampleRow {
  readonly start: number;
  readonly weights: readonly number[];
}

/** Packs rows into a table. @internal */
export function resampleTable(length: number, rows: readonly ResampleRow[]): ResampleTable {
  const offsets = new Int32Array(rows.length + 1);
  rows.forEach(({ weights }, index) => {
    offsets[index + 1] = offsets[index] + weights.length;
  });
  return {
    length,
    starts: Int32Array.from(rows, ({ start }) => start),
    offsets,
    weights: Float32Array.from(rows.flatMap(({ weights }) => weights)),
  };
}

/** The table of the transposed matrix. @internal */
export function transposeTable({ length, starts, offsets, weights }: ResampleTable): ResampleTable {
  const first = new Int32Array(length).fill(-1);
  const columns: number[][] = Array.from({ length }, () => []);
  for (let output = 0; output < starts.length; output++)
    for (let position = offsets[output]; position < offsets[output + 1]; position++) {
      const input = starts[output] + position - offsets[output];
      if (first[input] < 0) first[input] = output;
      const column = columns[input];
      while (column.length < output - first[input]) column.push(0); // an output in between that skips this input
      column.push(weights[position]);
    }
  return resampleTable(
    starts.length,
    columns.map((column, input) => ({ start: Math.max(0, first[input]), weights: column })),
  );
}

/** Means over the windows of adaptive pooling. @internal */
export function windowMeans(length: number, count: number): ResampleTable {
  return resampleTable(
    length,
    Array.from({ length: count }, (_, index) => {
      const start = Math.floor((index * length) / count);
      const cells = Math.ceil(((index + 1) * length) / count) - start;
      return { start, weights: new Array<number>(cells).fill(1 / cells) };
    }),
  );
}
