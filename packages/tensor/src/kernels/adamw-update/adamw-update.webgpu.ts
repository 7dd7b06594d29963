import { dispatch, f32 } from "../../backends/webgpu/dispatch.js";
import { wgslFunctions } from "../../backends/webgpu/kernels/wgsl.js";
import type { InPlaceCall } from "../in-place.js";
import type { AdamwUpdateAttributes } from "./adamw-update.js";

/** The update as one dispatch, a thread an element. */
export function adamwUpdateWebgpu({
  targets,
  inputs,
  attrs,
  backend,
}: InPlaceCall<AdamwUpdateAttributes>): void {
  const [parameter, mean, meanSquare, largest] = targets;
  const hasLargest = largest !== undefined;
  dispatch(backend, {
    name: "adamwUpdate",
    variant: `${hasLargest}${attrs.penalty !== 0}`,
    inputs: { gradient: inputs[0] },
    inPlace: hasLargest ? { parameter, mean, meanSquare, largest } : { parameter, mean, meanSquare },
    uniforms: {
      sign: f32(attrs.maximize ? -1 : 1),
      beta2: f32(attrs.beta2),
      // complements come from the host: 1 − 0.999 in float32 is off by 1e-5
      inflow1: f32(1 - attrs.beta1),
      inflow2: f32(1 - attrs.beta2),
      epsilon: f32(attrs.epsilon),
      stepSize: f32(attrs.stepSize),
      denominatorScale: f32(attrs.denominatorScale),
      decay: f32(attrs.decay),
      penalty: f32(attrs.penalty),
    },
    threads: parameter.size,
    declarations: () => wgslFunctions(["maxOf"]),
    body: () => `
  let old = parameter[index];
  var direction = uniforms.sign * gradient[index];
  ${attrs.penalty === 0 ? "" : "direction += uniforms.penalty * old;"}
  let m = mean[index] + uniforms.inflow1 * (direction - mean[index]);
  let v = uniforms.beta2 * meanSquare[index] + uniforms.inflow2 * direction * direction;
  mean[index] = m;
  meanSquare[index] = v;
  ${
    hasLargest
      ? `let top = maxOf(largest[index], v);
  largest[index] = top;`
      : "let top = v;"
  }
  parameter[index] = uniforms.decay * old - uniforms.stepSize * m / (sqrt(top) / uniforms.denominatorScale + uniforms.epsilon);`,
  });
}
