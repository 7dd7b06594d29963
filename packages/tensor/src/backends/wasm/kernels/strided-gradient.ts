import type { backend_util, TensorInfo } from "@tensorflow/tfjs-core";
import type { WasmBackend } from "../backend.js";
import { copyBlock } from "./layout.js";
import { multiply, SOURCE } from "./product.js";

type Geometry = backend_util.Conv2DInfo;

/** One axis of a phase: the input positions `first, first + stride, …` and the taps that reach them. */
interface PhaseAxis {
  readonly first: number;
  /** How many positions. */
  readonly length: number;
  /** The taps `tap, tap + tapStep, …`. */
  readonly tap: number;
  readonly tapStep: number;
  readonly taps: number;
  /** Position `i` of the phase and tap `t` of these belong to output `i + shift − t · dilation`. */
  readonly shift: number;
  readonly dilation: number;
}

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));

function phasesOf(
  length: number,
  { stride, kernel, before, dilation }: { stride: number; kernel: number; before: number; dilation: number },
): PhaseAxis[] {
  const tapStep = stride / greatestDivisor(stride, dilation);
  return Array.from({ length: Math.min(stride, length) }, (_, first) => {
    let tap = 0;
    while (tap < Math.min(kernel, tapStep) && (first + before - tap * dilation) % stride !== 0) tap++;
    const reached = tap < Math.min(kernel, tapStep);
    return {
      first,
      length: Math.ceil((length - first) / stride),
      tap,
      tapStep,
      taps: reached ? Math.ceil((kernel - tap) / tapStep) : 0,
      shift: (first + before - tap * dilation) / stride,
      dilation: (tapStep * dilation) / stride,
    };
  });
}

/**
 * The gradient of a convolution's input where the convolution takes steps: input pixels whose places leave the same rest
 * when divided by the step see the same taps, so that each such phase is a product without the zeros in between.
 * @param gradient,taps,target Addresses of dy `[batch, outHeight, outWidth, out]`, the filter and the result.
 */
export function stridedInputGradient(
  backend: WasmBackend,
  { gradient, taps, target }: { gradient: number; taps: number; target: number },
  geometry: Geometry,
  groups: number,
): void {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels, padInfo } = geometry;
  const { filterHeight, filterWidth, strideHeight, strideWidth } = geometry;
  const rowPhases = phasesOf(inHeight, {
    stride: strideHeight,
    kernel: filterHeight,
    before: padInfo.top,
    dilation: geometry.dilationHeight,
  });
  const columnPhases = phasesOf(inWidth, {
    stride: strideWidth,
    kernel: filterWidth,
    before: padInfo.left,
    dilation: geometry.dilationWidth,
  });
  const unreached = [...rowPhases, ...columnPhases].some((phase) => phase.taps === 0);
  if (unreached) backend.exports.fill(target, batchSize * inHeight * inWidth * inChannels, 0);
  const columns = inChannels / groups;
  const channels = outChannels / groups;
  for (const row of rowPhases)
    for (const column of columnPhases) {
      if (row.taps * column.taps === 0) continue;
      const held: TensorInfo[] = [
        backend.allocateOutput([row.taps, column.taps, columns, outChannels]),
        backend.allocateOutput([batchSize, row.length, column.length, inChannels]),
      ];
      const [filter, phase] = held.map((tensor) => backend.pointer(tensor));
      copyBlock(
        backend,
        "float32",
        held[0].shape,
        {
          pointer: taps,
          strides: [
            row.tapStep * filterWidth * columns * outChannels,
            column.tapStep * columns * outChannels,
            outChannels,
            1,
          ],
          offset: (row.tap * filterWidth + column.tap) * columns * outChannels,
        },
        {
          pointer: filter,
          strides: [column.taps * columns * outChannels, columns * outChannels, outChannels, 1],
          offset: 0,
        },
      );
      for (let group = 0; group < groups; group++) {
        const shift = group * channels * Float32Array.BYTES_PER_ELEMENT;
        backend.exports.setConvolution(
          gradient + shift,
          row.length,
          column.length,
          outChannels,
          outHeight,
          outWidth,
          row.taps,
          column.taps,
          1,
          1,
          row.shift,
          column.shift,
          row.dilation,
          column.dilation,
        );
        if (groups > 1) backend.exports.setGroup(gradient + shift, channels);
        multiply(backend, {
          a: gradient + shift,
          b: filter + shift,
          c: phase + group * columns * Float32Array.BYTES_PER_ELEMENT,
          rows: batchSize * row.length * column.length,
          columns,
          depth: row.taps * column.taps * channels,
          strideB: outChannels,
          strideC: inChannels,
          source: SOURCE.scattered,
          filterChannels: channels,
        });
      }
      copyBlock(
        backend,
        "float32",
        held[1].shape,
        {
          pointer: phase,
          strides: [row.length * column.length * inChannels, column.length * inChannels, inChannels, 1],
          offset: 0,
        },
        {
          pointer: target,
          strides: [
            inHeight * inWidth * inChannels,
            strideHeight * inWidth * inChannels,
            strideWidth * inChannels,
            1,
          ],
          offset: (row.first * inWidth + column.first) * inChannels,
        },
      );
      for (const tensor of held) backend.disposeData(tensor.dataId);
    }
}
