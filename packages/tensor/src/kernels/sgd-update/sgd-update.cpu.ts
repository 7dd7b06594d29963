import { valuesOf } from "../../backends/host/values.js";
import { type InPlaceCall, overwritableValues } from "../in-place.js";
import type { SgdUpdateAttributes } from "./sgd-update.js";

/** The update as one loop over typed arrays: the `cpu` device. */
export function sgdUpdateCpu({ targets, inputs, attrs, backend }: InPlaceCall<SgdUpdateAttributes>): void {
  const { learningRate, momentum, inflow, nesterov, weightDecay, maximize } = attrs;
  const gradient = valuesOf(backend, inputs[0]);
  const [parameter, buffer] = targets.map((target) => overwritableValues(backend, target));
  const sign = maximize ? -1 : 1;
  for (let i = 0; i < parameter.length; i++) {
    let step = sign * gradient[i];
    if (weightDecay !== 0) step += weightDecay * parameter[i];
    if (buffer !== undefined) {
      const moved = momentum * buffer[i] + inflow * step;
      step = nesterov ? step + momentum * moved : moved;
      buffer[i] = moved;
    }
    parameter[i] -= learningRate * step;
  }
}
