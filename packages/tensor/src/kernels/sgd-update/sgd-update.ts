import type { Tensor } from "@tensorflow/tfjs-core";
import { InputError } from "../../errors.js";
import { keep } from "../../memory.js";
import { zerosLike } from "../../tensor.js";
import { defineInPlaceKernel, type InPlaceBuffer, type InPlaceTarget } from "../in-place.js";
import { sgdUpdateCpu } from "./sgd-update.cpu.js";
import { sgdUpdateReference } from "./sgd-update.reference.js";
import { sgdUpdateWasm } from "./sgd-update.wasm.js";
import { sgdUpdateWebgpu } from "./sgd-update.webgpu.js";

/** Options of {@link sgdUpdate}; the defaults are PyTorch's. */
export interface SgdUpdateOptions {
  readonly learningRate: number;
  /** Share of the last step that the next one keeps. Default 0. */
  readonly momentum?: number;
  /** Share of the gradient that momentum leaves out. Default 0. */
  readonly dampening?: number;
  /** Look ahead along the momentum. Default false. */
  readonly nesterov?: boolean;
  /** Factor of the L2 penalty, added to the gradient. Default 0. */
  readonly weightDecay?: number;
  /** Climb instead of descend. Default false. */
  readonly maximize?: boolean;
  /** Holds the momentum between steps, the parameter's shape; required with `momentum`. Null before the first step. */
  readonly momentumBuffer?: InPlaceBuffer;
}

/** What the device code computes with. */
export interface SgdUpdateAttributes {
  readonly learningRate: number;
  readonly momentum: number;
  /** Factor of the gradient in the buffer: `1 − dampening`, but 1 in the first step. */
  readonly inflow: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
  readonly maximize: boolean;
}

/** Targets `[parameter]` or `[parameter, momentum buffer]`, inputs `[gradient]`. */
export const sgdUpdateKernel = /* @__PURE__ */ defineInPlaceKernel<SgdUpdateAttributes>({
  name: "sgdUpdate",
  reference: sgdUpdateReference,
  implementations: { cpu: sgdUpdateCpu, wasm: sgdUpdateWasm, webgpu: sgdUpdateWebgpu },
});

/**
 * One step of stochastic gradient descent, in place, as `torch.optim.SGD`:
 * `g ← ±gradient + weightDecay·p`, `b ← momentum·b + (1 − dampening)·g` (first step: `b ← g`),
 * `p ← p − learningRate·(nesterov ? g + momentum·b : b)`; without momentum `p ← p − learningRate·g`.
 * @param parameter Owner of `p`, float32 of any shape; its tensor is overwritten or replaced.
 * @param gradient `[...]` the parameter's shape; not changed.
 * @throws ShapeError when a tensor is not float32 of the parameter's shape.
 * @throws InputError for a number out of range, or momentum without a buffer.
 */
export function sgdUpdate(parameter: InPlaceTarget, gradient: Tensor, options: SgdUpdateOptions): void {
  const {
    learningRate,
    momentum = 0,
    dampening = 0,
    nesterov = false,
    weightDecay = 0,
    maximize = false,
    momentumBuffer,
  } = options;
  for (const [name, value] of Object.entries({ learningRate, momentum, weightDecay }))
    if (!(value >= 0 && Number.isFinite(value)))
      throw new InputError(`sgdUpdate: expected a finite ${name} of at least 0, got ${value}`);
  if (!Number.isFinite(dampening))
    throw new InputError(`sgdUpdate: expected a finite dampening, got ${dampening}`);
  if (nesterov && (momentum === 0 || dampening !== 0))
    throw new InputError(
      `sgdUpdate: expected momentum and no dampening with nesterov, got ${momentum} and ${dampening}`,
    );
  if (momentum === 0) {
    const attrs = { learningRate, momentum, inflow: 1, nesterov: false, weightDecay, maximize };
    sgdUpdateKernel([parameter], [gradient], attrs);
    return;
  }
  if (momentumBuffer === undefined)
    throw new InputError(
      "sgdUpdate: expected a momentumBuffer with momentum, got none; pass { value: null } and keep it",
    );
  const first = momentumBuffer.value === null;
  const buffer: InPlaceTarget = { value: momentumBuffer.value ?? keep(zerosLike(gradient)) };
  const inflow = first ? 1 : 1 - dampening;
  try {
    sgdUpdateKernel([parameter, buffer], [gradient], {
      learningRate,
      momentum,
      inflow,
      nesterov,
      weightDecay,
      maximize,
    });
  } catch (error) {
    if (first) buffer.value.dispose();
    throw error;
  }
  momentumBuffer.value = buffer.value;
}
