import type { Tensor } from "@tensorflow/tfjs-core";
import { InputError } from "../../errors.js";
import { keep } from "../../memory.js";
import { zerosLike } from "../../tensor.js";
import { defineInPlaceKernel, type InPlaceBuffer, type InPlaceTarget } from "../in-place.js";
import { adamwUpdateCpu } from "./adamw-update.cpu.js";
import { adamwUpdateReference } from "./adamw-update.reference.js";
import { adamwUpdateWasm } from "./adamw-update.wasm.js";
import { adamwUpdateWebgpu } from "./adamw-update.webgpu.js";

/** Options of {@link adamwUpdate}; the defaults are PyTorch's. */
export interface AdamwUpdateOptions {
  readonly learningRate: number;
  /** Number of this step, 1 for the first: it corrects the bias of the moments. */
  readonly step: number;
  /** Running mean of gradients, the parameter's shape. Null before the first step. */
  readonly firstMoment: InPlaceBuffer;
  /** Running mean of squared gradients, the parameter's shape. Null before the first step. */
  readonly secondMoment: InPlaceBuffer;
  /** Largest second moment so far: when given, the step is AMSGrad's. Null before the first step. */
  readonly maxSecondMoment?: InPlaceBuffer;
  /** Decay rates of the two moments. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  readonly epsilon?: number;
  /** Default 0.01. */
  readonly weightDecay?: number;
  /** True (default): AdamW, the parameter itself decays. False: Adam, an L2 penalty joins the gradient. */
  readonly decoupledWeightDecay?: boolean;
  /** Climb instead of descend. Default false. */
  readonly maximize?: boolean;
}

/** What the device code computes with. */
export interface AdamwUpdateAttributes {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** `learningRate / (1 − beta1^step)` */
  readonly stepSize: number;
  /** `√(1 − beta2^step)` */
  readonly denominatorScale: number;
  /** Factor of the parameter before the step: `1 − learningRate·weightDecay` when decoupled, else 1. */
  readonly decay: number;
  /** Factor of the parameter in the gradient: `weightDecay` when not decoupled, else 0. */
  readonly penalty: number;
  readonly maximize: boolean;
}

/** Targets `[parameter, first moment, second moment]` and, for AMSGrad, the largest; inputs `[gradient]`. */
export const adamwUpdateKernel = /* @__PURE__ */ defineInPlaceKernel<AdamwUpdateAttributes>({
  name: "adamwUpdate",
  reference: adamwUpdateReference,
  implementations: { cpu: adamwUpdateCpu, wasm: adamwUpdateWasm, webgpu: adamwUpdateWebgpu },
});

/**
 * One step of AdamW or Adam, in place, as `torch.optim.AdamW` and `torch.optim.Adam`:
 * `m ← β₁m + (1 − β₁)g`, `v ← β₂v + (1 − β₂)g²`, `p ← decay·p − stepSize·m / (√v / √(1 − β₂ᵗ) + ε)`
 * with `stepSize = learningRate / (1 − β₁ᵗ)`.
 * @param parameter Owner of `p`, float32 of any shape; its tensor is overwritten or replaced.
 * @param gradient `[...]` the parameter's shape; not changed.
 * @throws ShapeError when a tensor is not float32 of the parameter's shape.
 * @throws InputError for a number out of range.
 * @see Loshchilov, Hutter (2019), "Decoupled weight decay regularization", https://arxiv.org/abs/1711.05101
 * @see Kingma, Ba (2015), "Adam", https://arxiv.org/abs/1412.6980
 */
export function adamwUpdate(parameter: InPlaceTarget, gradient: Tensor, options: AdamwUpdateOptions): void {
  const {
    learningRate,
    step,
    firstMoment,
    secondMoment,
    maxSecondMoment,
    betas: [beta1, beta2] = [0.9, 0.999],
    epsilon = 1e-8,
    weightDecay = 0.01,
    decoupledWeightDecay = true,
    maximize = false,
  } = options;
  assertAtLeastZero("learningRate", learningRate);
  assertAtLeastZero("epsilon", epsilon);
  assertAtLeastZero("weightDecay", weightDecay);
  if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1))
    throw new InputError(`adamwUpdate: expected betas in [0, 1), got ${beta1} and ${beta2}`);
  if (!Number.isInteger(step) || step < 1)
    throw new InputError(`adamwUpdate: expected a step of at least 1, got ${step}; the first step is 1`);
  const buffers = [firstMoment, secondMoment, ...(maxSecondMoment === undefined ? [] : [maxSecondMoment])];
  const targets: InPlaceTarget[] = buffers.map((buffer) => ({
    value: buffer.value ?? keep(zerosLike(gradient)),
  }));
  try {
    adamwUpdateKernel([parameter, ...targets], [gradient], {
      beta1,
      beta2,
      epsilon,
      stepSize: learningRate / (1 - beta1 ** step),
      denominatorScale: Math.sqrt(1 - beta2 ** step),
      decay: decoupledWeightDecay ? 1 - learningRate * weightDecay : 1,
      penalty: decoupledWeightDecay ? 0 : weightDecay,
      maximize,
    });
  } catch (error) {
    buffers.forEach((buffer, index) => {
      if (buffer.value === null) targets[index].value.dispose();
    });
    throw error;
  }
  buffers.forEach((buffer, index) => {
    buffer.value = targets[index].value;
  });
}

function assertAtLeastZero(name: string, value: number): void {
  if (!(value >= 0 && Number.isFinite(value)))
    throw new InputError(`adamwUpdate: expected a finite ${name} of at least 0, got ${value}`);
}
