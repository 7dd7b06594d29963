export { type HalfPrecision, halfPrecision } from "./half-precision.js";
export type { UnquantizedWeight } from "./quantizable-weights.js";
export {
  type QuantizationReport,
  type QuantizationReportOptions,
  type QuantizationRow,
  quantizationReport,
} from "./quantization-report.js";
export { type QuantizeModelOptions, quantizeModel } from "./quantize-model.js";
export { loadQuantized, saveQuantized, writeQuantized } from "./quantized-files.js";
export { QuantizedEmbedding, QuantizedLayer, QuantizedLinear } from "./quantized-layers.js";
export { QuantizedParameter } from "./quantized-parameter.js";
