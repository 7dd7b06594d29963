import { valuesOf } from "../../backends/host/values.js";
import { type InPlaceCall, overwritableValues } from "../in-place.js";
import type { AdamwUpdateAttributes } from "./adamw-update.js";

/** The update as one loop over typed arrays: the `cpu` device. */
export function adamwUpdateCpu({
  targets,
  inputs,
  attrs,
  backend,
}: InPlaceCall<AdamwUpdateAttributes>): void {
  const { beta1, beta2, epsilon, stepSize, denominatorScale, decay, penalty, maximize } = attrs;
  const gradient = valuesOf(backend, inputs[0]);
  const [parameter, mean, meanSquare, largest] = targets.map((target) => overwritableValues(backend, target));
  const sign = maximize ? -1 : 1;
  for (let i = 0; i < parameter.length; i++) {
    let direction = sign * gradient[i];
    if (penalty !== 0) direction += penalty * parameter[i];
    mean[i] += (1 - beta1) * (direction - mean[i]);
    meanSquare[i] = beta2 * meanSquare[i] + (1 - beta2) * direction * direction;
    let top = meanSquare[i];
    if (largest !== undefined) {
      top = Math.max(largest[i], top);
      largest[i] = top;
    }
    parameter[i] =
      decay * parameter[i] - (stepSize * mean[i]) / (Math.sqrt(top) / denominatorScale + epsilon);
  }
}
