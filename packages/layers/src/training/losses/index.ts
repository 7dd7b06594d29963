export {
  BCELoss,
  BCEWithLogitsLoss,
  type BinaryCrossEntropyOptions,
  type BinaryCrossEntropyWithLogitsOptions,
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
} from "./binary-cross-entropy.js";
export { CrossEntropyLoss, type CrossEntropyOptions, crossEntropyLoss } from "./cross-entropy.js";
export { MSELoss, type MseLossOptions, mseLoss } from "./mean-squared-error.js";
export type { Reduction } from "./reduction.js";
