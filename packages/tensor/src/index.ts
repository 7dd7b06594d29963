export { detectAnomaly } from "./anomaly.js";
export { assertOptions, type EveryOption } from "./arguments.js";
export * from "./autograd.js";
export { debugGpuErrors } from "./backends/webgpu/errors.js";
export { type GpuMemoryReport, gpuMemory, trimPool } from "./backends/webgpu/pool.js";
export { checkpoint } from "./checkpoint.js";
export { freeWhenCollected } from "./collected.js";
export {
  type DeviceDescription,
  type DeviceName,
  type DeviceOptions,
  describeDevice,
  moveTo,
  setThreads,
  useDevice,
} from "./device.js";
export type { DType, TypedArray } from "./dtype.js";
export { isRecording } from "./engine.js";
export * from "./errors.js";
export { type GradcheckOptions, gradcheck } from "./gradcheck.js";
export { type AdamwUpdateOptions, adamwUpdate } from "./kernels/adamw-update/adamw-update.js";
export { type AttentionOptions, scaledDotProductAttention } from "./kernels/attention/attention.js";
export { type AttentionCall, announceAttention, observeAttention } from "./kernels/attention/observe.js";
export { type CrossEntropyOptions, crossEntropy } from "./kernels/cross-entropy/cross-entropy.js";
export { type CtcLossOptions, ctcLoss } from "./kernels/ctc-loss/ctc-loss.js";
export { type GeluOptions, gelu } from "./kernels/gelu/gelu.js";
export { gruCell } from "./kernels/gru-cell/gru-cell.js";
export { type GruSequenceOptions, gruSequence } from "./kernels/gru-sequence/gru-sequence.js";
export type { InPlaceBuffer, InPlaceTarget } from "./kernels/in-place.js";
export { type LayerNormOptions, layerNorm } from "./kernels/layer-norm/layer-norm.js";
export {
  type LinearChainOptions,
  linearChainLogPartition,
} from "./kernels/linear-chain/linear-chain.js";
export { type LinearScanOptions, linearScan } from "./kernels/linear-scan/linear-scan.js";
export { lstmCell } from "./kernels/lstm-cell/lstm-cell.js";
export { type LstmSequenceOptions, lstmSequence } from "./kernels/lstm-sequence/lstm-sequence.js";
export {
  type QuantizedLinearOptions,
  quantizedLinear,
} from "./kernels/quantized-linear/quantized-linear.js";
export {
  dequantizeWeight,
  type QuantizedWeight,
  type QuantizeOptions,
  quantizeWeight,
} from "./kernels/quantized-linear/quantized-weight.js";
export { type RmsNormOptions, rmsNorm } from "./kernels/rms-norm/rms-norm.js";
export {
  type RotaryEmbeddingOptions,
  type RotaryTableOptions,
  rotaryEmbedding,
  rotaryTables,
} from "./kernels/rotary-embedding/rotary-embedding.js";
export { type SelectiveScanOptions, selectiveScan } from "./kernels/selective-scan/selective-scan.js";
export { type SgdUpdateOptions, sgdUpdate } from "./kernels/sgd-update/sgd-update.js";
export { currentLayer, withinLayer } from "./layer-path.js";
export * from "./memory.js";
export {
  elu,
  hardSigmoid,
  hardSwish,
  leakyRelu,
  logSigmoid,
  mish,
  relu,
  relu6,
  type SoftplusOptions,
  selu,
  silu,
  softplus,
} from "./ops/activations.js";
export * from "./ops/adaptive-pool.js";
export * from "./ops/arithmetic.js";
export { cast } from "./ops/cast.js";
export * from "./ops/compare.js";
export { type AxisOptions, concat, split, stack, unstack } from "./ops/concat.js";
export {
  type ConvOptions,
  type ConvTransposeOptions,
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
} from "./ops/conv.js";
export { type CumulativeOptions, cumprod, cumsum } from "./ops/cumulative.js";
export * from "./ops/distances.js";
export { einsum } from "./ops/einsum.js";
export type { FusedActivation } from "./ops/fused-activations.js";
export * from "./ops/grid-sample.js";
export * from "./ops/gumbel-softmax.js";
export { type InterpolateOptions, type InterpolationMode, interpolate } from "./ops/image.js";
export {
  type AlongAxisOptions,
  type GatherOptions,
  gather,
  gatherNd,
  indexAdd,
  type OneHotOptions,
  oneHot,
  scatter,
  scatterAdd,
  scatterNd,
  takeAlongAxis,
} from "./ops/indexing.js";
export { type LinearOptions, linear, type MatMulOptions, matMul, outer } from "./ops/matmul.js";
export * from "./ops/max-pool-indices.js";
export * from "./ops/multinomial.js";
export {
  type BatchNormOptions,
  type BatchNormTrainingOptions,
  type BatchNormTrainingResult,
  batchNorm,
  batchNormTraining,
  type GroupNormOptions,
  groupNorm,
} from "./ops/normalization.js";
export {
  type AvgPoolOptions,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  type MaxPoolOptions,
  maxPool1d,
  maxPool2d,
  maxPool3d,
  type PoolOptions,
} from "./ops/pool.js";
export * from "./ops/rearrange.js";
export {
  type ArgOptions,
  all,
  any,
  argMax,
  argMin,
  max,
  mean,
  min,
  prod,
  type ReduceOptions,
  sum,
} from "./ops/reduce.js";
export * from "./ops/shape-ops.js";
export {
  type FftNormalization,
  type FftOptions,
  hannWindow,
  irfft,
  rfft,
  type WindowOptions,
} from "./ops/signal.js";
export {
  type NarrowOptions,
  narrow,
  type Paddings,
  type PadMode,
  type PadOptions,
  pad,
  type StridedSliceOptions,
  slice,
  stridedSlice,
} from "./ops/slice.js";
export { logSoftmax, type SoftmaxOptions, softmax } from "./ops/softmax.js";
export {
  argsort,
  type SortOptions,
  type SortResult,
  sort,
  type TopKOptions,
  topK,
} from "./ops/sort.js";
export {
  logSumExp,
  type NormOptions,
  norm,
  standardDeviation,
  type VarianceOptions,
  variance,
} from "./ops/statistics.js";
export { type IstftOptions, istft, type StftOptions, stft } from "./ops/stft.js";
export * from "./ops/triangles.js";
export * from "./ops/trigonometry.js";
export * from "./ops/unary.js";
export * from "./ops/unfold.js";
export * from "./ops/value-dependent.js";
export type { ConvPadding, PerAxis } from "./ops/window.js";
export * from "./random.js";
export type { Shape } from "./shape.js";
export * from "./tensor.js";
export { dataVersion, raiseVersion } from "./versions.js";
export type { ByteSource } from "./weights/byte-source.js";
export {
  type CachedModel,
  type CachedRevision,
  listModelCache,
  type PrunedCache,
  type PruneOptions,
  pruneModelCache,
} from "./weights/cache/manage.js";
export type { KeptFile } from "./weights/cache/store.js";
export {
  type CTranslate2File,
  type CTranslate2Metadata,
  readCTranslate2,
} from "./weights/ctranslate2/read-ctranslate2.js";
export { encodeValues, type HostEntry, type SafetensorsDType } from "./weights/dtypes.js";
export type { GgufValue } from "./weights/gguf/header.js";
export { type GgufFile, readGguf } from "./weights/gguf/read-gguf.js";
export type { Checksum } from "./weights/http/checksum.js";
export type { DownloadProgress, ProgressListener } from "./weights/http/progress.js";
export type { CacheKind, CacheOptions, HubOptions } from "./weights/hub/settings.js";
export type { LazyInput, SafetensorsInput, SafetensorsInputs } from "./weights/inputs.js";
export { type Llama2cConfig, type Llama2cFile, readLlama2c } from "./weights/llama2c/read-llama2c.js";
export type { ModelCard } from "./weights/model-card.js";
export type { DownloadOptions, ModelFile, ModelFiles, OpenFileOptions } from "./weights/model-files.js";
export {
  type IncompleteGroup,
  type MappedWeights,
  mapWeights,
  type WeightOrigin,
} from "./weights/names/map-weights.js";
export {
  formatWeightMatch,
  type MatchOptions,
  matchWeights,
  type WeightMatch,
  type WeightMatchRow,
  type WeightStatus,
} from "./weights/names/match-weights.js";
export {
  type IgnoreRule,
  invertMapping,
  type JoinRule,
  type RenameRule,
  type StackRule,
  type WeightMapping,
  type WeightNormRule,
  type WeightRule,
} from "./weights/names/rules.js";
export { readNumpy } from "./weights/numpy/read-numpy.js";
export { type NpzOptions, saveNpz, writeNpz } from "./weights/numpy/write-npz.js";
export { readOnnx } from "./weights/onnx/read-onnx.js";
export { type ModelSource, type OpenModelOptions, openModelFiles } from "./weights/open-model-files.js";
export { readSafetensors, type SafetensorsFile } from "./weights/read-safetensors.js";
export { readWeights } from "./weights/read-weights.js";
export {
  encodeSafetensors,
  type ParsedSafetensors,
  parseSafetensors,
  type SafetensorsEntry,
  type SafetensorsOptions,
} from "./weights/safetensors.js";
export type { WeightsSource } from "./weights/sources.js";
export { type ReadTorchOptions, readTorch, type TorchFile } from "./weights/torch/read-torch.js";
export type { ReadManyOptions, ReadOptions, WeightsFile, WeightsInfo } from "./weights/weights-file.js";
export {
  type FileContent,
  type ModelFolder,
  saveModelFolder,
  writeModelFolder,
} from "./weights/write-model-folder.js";
export { saveSafetensors, type WriteOptions, writeSafetensors } from "./weights/write-safetensors.js";
export {
  type ShardOptions,
  saveShardedSafetensors,
  writeShardedSafetensors,
} from "./weights/write-shards.js";
