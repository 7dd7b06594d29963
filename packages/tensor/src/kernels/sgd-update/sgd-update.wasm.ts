import type { WasmBackend } from "../../backends/wasm/backend.js";
import type { InPlaceCall } from "../in-place.js";
import { optionalPointer } from "../wasm-call.js";
import type { SgdUpdateAttributes } from "./sgd-update.js";

export function sgdUpdateWasm({ targets, inputs, attrs, backend }: InPlaceCall<SgdUpdateAttributes>): void {
  const wasm = backend as WasmBackend;
  const [parameter, buffer] = targets;
  wasm.exports.sgdUpdate(
    wasm.pointer(parameter),
    wasm.pointer(inputs[0]),
    optionalPointer(wasm, buffer),
    parameter.size,
    attrs.learningRate,
    attrs.momentum,
    attrs.inflow,
    Number(attrs.nesterov),
    attrs.weightDecay,
    attrs.maximize ? -1 : 1,
  );
}
