import type { Tensor } from "@tensorflow/tfjs-core";
import type { GradientContext } from "../kernels/define-kernel.js";
import { reluGradKernel } from "../ops/activation-gradients.js";
import { type ConvAttributes, convolveFilter, convolveInput } from "../ops/conv-kernels.js";
import { sum } from "../ops/reduce.js";

type Inputs = { x: Tensor; filter: Tensor; bias?: Tensor };

/** `y = x ∗ w + b` is linear in each of the three. */
export function convBiasGradient({ dy, saved, shapes, attrs }: GradientContext<Inputs, ConvAttributes>) {
  return throughConvolution(() => dy, { x: saved.x, filter: saved.filter, inputShape: shapes.x, attrs });
}

/** Where the ReLU gave zero nothing flows back. */
export function convReluGradient(context: GradientContext<Inputs, ConvAttributes>) {
  const { saved, shapes, attrs } = context;
  let masked: Tensor | undefined;
  const dz = (): Tensor => {
    masked ??= reluGradKernel({ dy: context.dy, y: context.output }, {});
    return masked;
  };
  return throughConvolution(dz, { x: saved.x, filter: saved.filter, inputShape: shapes.x, attrs });
}

interface Convolution {
  readonly x: Tensor;
  readonly filter: Tensor;
  readonly inputShape: number[];
  readonly attrs: ConvAttributes;
}

/** @param dz gives the gradient before the activation, `[batch, outHeight, outWidth, out]` */
function throughConvolution(dz: () => Tensor, { x, filter, inputShape, attrs }: Convolution) {
  const { strides, padding, dilations } = attrs;
  const plain = { strides, padding, dilations };
  return {
    x: () => convolveInput(dz(), filter, { ...plain, inputShape }),
    filter: () => convolveFilter(x, dz(), { ...plain, filterShape: filter.shape }),
    bias: () => sum(dz(), { axes: [0, 1, 2] }), // [out]
  };
}
