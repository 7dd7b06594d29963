export { type Collated, type CollateOptions, createCollate } from "./collate.js";
export { ConcatDataset } from "./concat-dataset.js";
export { type BatchOf, DataLoader, type DataLoaderOptions, type DataLoaderState } from "./data-loader.js";
export {
  ArrayDataset,
  type Dataset,
  type ItemContext,
  type IterableSource,
  TensorDataset,
} from "./dataset.js";
export type { HostTensor } from "./host-tensor.js";
export {
  type BatchSampler,
  LengthBucketSampler,
  type LengthBucketSamplerOptions,
  TokenBatchSampler,
  type TokenBatchSamplerOptions,
} from "./length-samplers.js";
export { MappedDataset } from "./mapped-dataset.js";
export { type RandomSplitOptions, randomSplit } from "./random-split.js";
export {
  RandomSampler,
  type RandomSamplerOptions,
  type Sampler,
  SequentialSampler,
  SubsetRandomSampler,
  WeightedRandomSampler,
  type WeightedRandomSamplerOptions,
} from "./samplers.js";
export { serveDataset } from "./serve-dataset.js";
export {
  balancedWeights,
  type Fold,
  type KFoldSplitOptions,
  kFoldSplit,
  StratifiedSampler,
  SubsetDataset,
} from "./splits.js";
export { MappedSource, ShuffledSource, type ShuffledSourceOptions, StreamSource } from "./streams.js";
export {
  type DatasetWorker,
  type LoadInWorkersOptions,
  loadInWorkers,
  WorkerDataset,
} from "./worker-dataset.js";
