import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { cumprodOnHost } from "../backends/host/reduce.js";
import { cumprodWasm } from "../backends/wasm/ops/cumulative.js";
import { cumulativeWebgpu } from "../backends/webgpu/kernels/reduce.js";
import { cumprodGradient, cumsumGradient } from "../gradients/cumulative.js";
import { defineKernel, type Kernel } from "../kernels/define-kernel.js";
import { tidy } from "../memory.js";
import { normalizeAxis } from "../shape.js";
import { alias, assertTensor, toDType, type UnaryInputs } from "./broadcast.js";

export type CumulativeAttributes = { axis: number; exclusive: boolean; reverse: boolean };

const cumsumKernel = /* @__PURE__ */ defineKernel<UnaryInputs, CumulativeAttributes>({
  name: "Cumsum",
  implementations: { webgpu: (call) => cumulativeWebgpu(call, "Cumsum") },
  stock: "Cumsum",
  gradient: cumsumGradient,
});

const cumprodKernel = /* @__PURE__ */ defineKernel<UnaryInputs, CumulativeAttributes>({
  name: "Cumprod",
  stock: "Cumprod",
  implementations: {
    cpu: (call) => cumprodOnHost(call),
    wasm: (call) => cumprodWasm(call) ?? cumprodOnHost(call),
    webgpu: (call) => cumulativeWebgpu(call, "Cumprod"),
  },
  saves: ["x"],
  gradient: cumprodGradient,
});

/** Options of {@link cumsum} and {@link cumprod}. */
export interface CumulativeOptions {
  /** Axis to run along; negative ones count from the end. */
  readonly axis: number;
  /** Leave out the element itself: the first result is 0 (1 for a product). Default false. */
  readonly exclusive?: boolean;
  /** Run from the end. Default false. */
  readonly reverse?: boolean;
}

function cumulative(
  operation: string,
  kernel: Kernel<UnaryInputs, CumulativeAttributes>,
  x: Tensor,
  options: CumulativeOptions,
): Tensor {
  assertTensor(operation, x);
  assertOptions(operation, options, ["axis", "exclusive?", "reverse?"]);
  const { axis, exclusive = false, reverse = false } = options;
  const along = normalizeAxis(operation, axis, x.shape.length);
  return tidy(() => {
    const numbers = toDType(x, x.dtype === "float32" ? "float32" : "int32");
    return x.size === 0 ? alias(numbers) : kernel({ x: numbers }, { axis: along, exclusive, reverse });
  });
}

/**
 * Running sum along an axis: `yᵢ = x₀ + … + xᵢ`. int32 wraps around.
 * @param x `[...]` @returns `[...]`; int32 for int32 and bool.
 * @throws InputError for an axis out of range.
 * @example
 * const y = cumsum(tensor([1, 2, 3]), { axis: 0 }); // [1, 3, 6]
 */
export function cumsum(x: Tensor, options: CumulativeOptions): Tensor {
  return cumulative("cumsum", cumsumKernel, x, options);
}

/**
 * Running product along an axis: `yᵢ = x₀ · … · xᵢ`. int32 wraps around. The gradient is right where elements are 0.
 * @param x `[...]` @returns `[...]`; int32 for int32 and bool.
 * @throws InputError for an axis out of range.
 */
export function cumprod(x: Tensor, options: CumulativeOptions): Tensor {
  return cumulative("cumprod", cumprodKernel, x, options);
}
