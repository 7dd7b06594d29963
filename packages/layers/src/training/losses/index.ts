export {
  HuberLoss,
  type HuberLossOptions,
  huberLoss,
  L1Loss,
  type L1LossOptions,
  l1Loss,
  SmoothL1Loss,
  type SmoothL1LossOptions,
  smoothL1Loss,
} from "./absolute-error.js";
export {
  BCELoss,
  BCEWithLogitsLoss,
  type BinaryCrossEntropyOptions,
  type BinaryCrossEntropyWithLogitsOptions,
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
} from "./binary-cross-entropy.js";
export { CrossEntropyLoss, type CrossEntropyOptions, crossEntropyLoss } from "./cross-entropy.js";
export { CTCLoss, type CtcLengths } from "./ctc.js";
export { DiceLoss, type DiceLossOptions, diceLoss } from "./dice.js";
export {
  GaussianNLLLoss,
  type GaussianNllLossOptions,
  gaussianNllLoss,
  PoissonNLLLoss,
  type PoissonNllLossOptions,
  poissonNllLoss,
} from "./distribution-losses.js";
export {
  CosineEmbeddingLoss,
  type CosineEmbeddingLossOptions,
  cosineEmbeddingLoss,
  TripletMarginLoss,
  type TripletMarginLossOptions,
  TripletMarginWithDistanceLoss,
  type TripletMarginWithDistanceLossOptions,
  tripletMarginLoss,
  tripletMarginWithDistanceLoss,
} from "./embedding-losses.js";
export {
  FocalLoss,
  type FocalLossOptions,
  focalLoss,
  SigmoidFocalLoss,
  type SigmoidFocalLossOptions,
  sigmoidFocalLoss,
} from "./focal.js";
export { InfoNCELoss, type InfoNceLossOptions, infoNceLoss } from "./info-nce.js";
export { KLDivLoss, type KlDivLossOptions, klDivLoss } from "./kl-divergence.js";
export {
  HingeEmbeddingLoss,
  type HingeEmbeddingLossOptions,
  hingeEmbeddingLoss,
  MarginRankingLoss,
  type MarginRankingLossOptions,
  marginRankingLoss,
  SoftMarginLoss,
  type SoftMarginLossOptions,
  softMarginLoss,
} from "./margin-losses.js";
export { MSELoss, type MseLossOptions, mseLoss } from "./mean-squared-error.js";
export {
  MultiLabelMarginLoss,
  type MultiLabelMarginLossOptions,
  MultiLabelSoftMarginLoss,
  type MultiLabelSoftMarginLossOptions,
  MultiMarginLoss,
  type MultiMarginLossOptions,
  multiLabelMarginLoss,
  multiLabelSoftMarginLoss,
  multiMarginLoss,
} from "./multi-margin.js";
export { NLLLoss, type NllLossOptions, nllLoss } from "./negative-log-likelihood.js";
export type { Reduction } from "./reduction.js";
