import type { WasmBackend } from "../../backends/wasm/backend.js";
import type { InPlaceCall } from "../in-place.js";
import { optionalPointer } from "../wasm-call.js";
import type { AdamwUpdateAttributes } from "./adamw-update.js";

export function adamwUpdateWasm({
  targets,
  inputs,
  attrs,
  backend,
}: InPlaceCall<AdamwUpdateAttributes>): void {
  const wasm = backend as WasmBackend;
  const [parameter, mean, meanSquare, largest] = targets;
  wasm.exports.adamwUpdate(
    wasm.pointer(parameter),
    wasm.pointer(inputs[0]),
    wasm.pointer(mean),
    wasm.pointer(meanSquare),
    optionalPointer(wasm, largest),
    parameter.size,
    1 - attrs.beta1,
    attrs.beta2,
    1 - attrs.beta2,
    attrs.epsilon,
    attrs.stepSize,
    attrs.denominatorScale,
    attrs.decay,
    attrs.penalty,
    attrs.maximize ? -1 : 1,
  );
}
