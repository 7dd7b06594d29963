import type { Tensor } from "@tensorflow/tfjs-core";
import { defineKernel, type GradientContext, type Kernel } from "../define-kernel.js";
import { inverseRealFftOnHost, realFftOnHost } from "./real-fft.host.js";
import { inverseRealFftReference, realFftReference } from "./real-fft.reference.js";
import { inverseRealFftWasm, realFftWasm } from "./real-fft.wasm.js";

/**
 * `length` of the real rows; bins are multiplied by `scale`, and with `doubled` those between the first and the one at
 * half the sampling rate by two: they stand for their mirror images too.
 */
export type RealFftAttributes = { length: number; scale: number; doubled: boolean };

/** Bins of real rows: x `[rows, length]` → `[rows, ⌊length/2⌋ + 1, 2]`, real and imaginary parts. */
export const realFftKernel: Kernel<{ x: Tensor }, RealFftAttributes> = /* @__PURE__ */ defineKernel<
  { x: Tensor },
  RealFftAttributes
>({
  name: "RealFft",
  reference: realFftReference,
  implementations: { cpu: realFftOnHost, wasm: realFftWasm },
  gradient: ({ dy, attrs }: GradientContext<{ x: Tensor }, RealFftAttributes>) => ({
    x: () => inverseRealFftKernel({ x: dy }, attrs),
  }),
});

/**
 * `Re Σ scale · binₖ · e^(2πijk/length)` over the given bins, the adjoint of {@link realFftKernel}:
 * x `[rows, ⌊length/2⌋ + 1, 2]` → `[rows, length]`. With `doubled` and `scale = 1/length` it is the inverse.
 */
export const inverseRealFftKernel: Kernel<{ x: Tensor }, RealFftAttributes> = /* @__PURE__ */ defineKernel<
  { x: Tensor },
  RealFftAttributes
>({
  name: "InverseRealFft",
  reference: inverseRealFftReference,
  implementations: { cpu: inverseRealFftOnHost, wasm: inverseRealFftWasm },
  gradient: ({ dy, attrs }: GradientContext<{ x: Tensor }, RealFftAttributes>) => ({
    x: () => realFftKernel({ x: dy }, attrs),
  }),
});
