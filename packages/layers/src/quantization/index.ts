export { type HalfPrecision, halfPrecision } from "./half-precision.js";
export {
  type QuantizationReport,
  type QuantizationReportOptions,
  type QuantizationRow,
  quantizationReport,
} from "./quantization-report.js";
export { type QuantizeModelOptions, quantizeModel } from "./quantize-model.js";
export { loadQuantized, saveQuantized, writeQuantized } from "./quantized-files.js";
export {
  type QuantizableLayer,
  QuantizedConv2d,
  QuantizedEmbedding,
  QuantizedLayer,
  QuantizedLinear,
} from "./quantized-layers.js";
