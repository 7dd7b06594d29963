import { dispatch, f32 } from "../../backends/webgpu/dispatch.js";
import type { InPlaceCall } from "../in-place.js";
import type { SgdUpdateAttributes } from "./sgd-update.js";

/** The update as one dispatch, a thread an element. */
export function sgdUpdateWebgpu({ targets, inputs, attrs, backend }: InPlaceCall<SgdUpdateAttributes>): void {
  const [parameter, buffer] = targets;
  const { learningRate, momentum, inflow, nesterov, weightDecay, maximize } = attrs;
  const hasBuffer = buffer !== undefined;
  dispatch(backend, {
    name: "sgdUpdate",
    variant: `${hasBuffer}${nesterov}${weightDecay !== 0}`,
    inputs: { gradient: inputs[0] },
    inPlace: hasBuffer ? { parameter, buffer } : { parameter },
    uniforms: {
      sign: f32(maximize ? -1 : 1),
      learningRate: f32(learningRate),
      momentum: f32(momentum),
      inflow: f32(inflow),
      weightDecay: f32(weightDecay),
    },
    threads: parameter.size,
    body: () => `
  var step = uniforms.sign * gradient[index];
  ${weightDecay === 0 ? "" : "step += uniforms.weightDecay * parameter[index];"}
  ${
    hasBuffer
      ? `let moved = uniforms.momentum * buffer[index] + uniforms.inflow * step;
  buffer[index] = moved;
  step = ${nesterov ? "step + uniforms.momentum * moved" : "moved"};`
      : ""
  }
  parameter[index] -= uniforms.learningRate * step;`,
  });
}
