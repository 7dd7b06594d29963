export { type Collated, type CollateOptions, createCollate } from "./collate.js";
export { DataLoader, type DataLoaderOptions, type DataLoaderState } from "./data-loader.js";
export {
  ArrayDataset,
  type Dataset,
  type ItemContext,
  type IterableSource,
  TensorDataset,
} from "./dataset.js";
export type { HostTensor } from "./host-tensor.js";
export { MappedDataset } from "./mapped-dataset.js";
export {
  RandomSampler,
  type RandomSamplerOptions,
  type Sampler,
  SequentialSampler,
  SubsetRandomSampler,
  WeightedRandomSampler,
} from "./samplers.js";
