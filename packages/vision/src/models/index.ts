export * from "./cifar-resnet/cifar-resnet.config.js";
export { CifarResNet } from "./cifar-resnet/cifar-resnet.js";
export type { FastestDetConfig } from "./fastest-det/fastest-det.config.js";
export { FastestDet } from "./fastest-det/fastest-det.js";
export {
  type FeatureStage,
  ImageModel,
  type ImageModelCallOptions,
  type ImageModelParts,
} from "./image-model.js";
export * from "./lprnet/lprnet.config.js";
export { LPRNet } from "./lprnet/lprnet.js";
export * from "./resnet/resnet.config.js";
export { type NormalizationFactory, ResNet, ResNetBackbone } from "./resnet/resnet.js";
