import type { TensorInfo } from "@tensorflow/tfjs-core";
import { type ResampleRow, resampleTable } from "../../../ops/resample.js";
import { sizeOf } from "../../../shape.js";
import type { WasmCall, WasmKernel, WasmKernels } from "./kernel.js";
import { placeTable, resampleAxis, tableBytes } from "./resample.js";

/** Where tfjs finds the cell of a result along an axis. */
interface Sampling {
  readonly alignCorners: boolean;
  readonly halfPixelCenters: boolean;
}

function positions(length: number, count: number, { alignCorners, halfPixelCenters }: Sampling): number[] {
  const corners = alignCorners && count > 1;
  const scale = corners ? (length - 1) / (count - 1) : length / count;
  return Array.from({ length: count }, (_, index) =>
    halfPixelCenters ? scale * (index + 0.5) : scale * index,
  );
}

function bilinearRows(length: number, count: number, sampling: Sampling): ResampleRow[] {
  return positions(length, count, sampling).map((position) => {
    const at = sampling.halfPixelCenters ? position - 0.5 : position;
    const start = Math.max(0, Math.floor(at));
    const share = at - start;
    return Math.min(length - 1, Math.ceil(at)) <= start
      ? { start: Math.min(start, length - 1), weights: [1] }
      : { start, weights: [1 - share, share] };
  });
}

function nearestRows(length: number, count: number, sampling: Sampling): ResampleRow[] {
  return positions(length, count, sampling).map((position) => {
    const cell = sampling.alignCorners ? Math.round(position) : Math.floor(position);
    return { start: Math.max(0, Math.min(length - 1, cell)), weights: [1] };
  });
}

/** Both axes of pictures `[batch, height, width, channels]`, one after the other. */
function resize(
  { inputs: { images }, attrs, backend }: WasmCall,
  rows: (length: number, count: number, sampling: Sampling) => ResampleRow[],
): TensorInfo | null {
  const { size, ...sampling } = attrs as unknown as Sampling & { size: [number, number] };
  const [batch, height, width, channels] = images.shape;
  const [newHeight, newWidth] = size;
  const shape = [batch, newHeight, newWidth, channels];
  if (!backend.isFloat32(images) || sizeOf(shape) === 0 || sizeOf(images.shape) === 0) return null;
  const down = resampleTable(height, rows(height, newHeight, sampling));
  const across = resampleTable(width, rows(width, newWidth, sampling));
  const source = backend.pointer(images);
  const output = backend.allocateOutput(shape);
  const between = 4 * batch * newHeight * width * channels;
  const memory = backend.scratch(between + tableBytes(down) + tableBytes(across));
  const first = placeTable(backend, down, memory + between);
  const second = placeTable(backend, across, memory + between + tableBytes(down));
  resampleAxis(backend, source, memory, first, [batch, height, width * channels]);
  resampleAxis(backend, memory, backend.pointer(output), second, [batch * newHeight, width, channels]);
  return output;
}

const resizeKernel =
  (rows: (length: number, count: number, sampling: Sampling) => ResampleRow[]): WasmKernel =>
  (call) =>
    resize(call, rows);

export const RESIZE_KERNELS: WasmKernels = {
  ResizeBilinear: resizeKernel(bilinearRows),
  ResizeNearestNeighbor: resizeKernel(nearestRows),
};
