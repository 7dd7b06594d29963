export * from "./cifar-resnet/cifar-resnet.config.js";
export { CifarResNet } from "./cifar-resnet/cifar-resnet.js";
export type { MobileActivation, StridePadding } from "./conv-norm.js";
export * from "./convnext/convnext.config.js";
export { ConvNext } from "./convnext/convnext.js";
export type { DetectionModel, DetectionModelParts, DetectionOutputs } from "./detection-model.js";
export * from "./detr/detr.config.js";
export { Detr, type DetrCallOptions, type DetrOutput } from "./detr/detr.js";
export { FrozenBatchNorm2d } from "./detr/frozen-batch-norm.js";
export type { PaddedSize } from "./detr/sine-positions.js";
export * from "./efficientnet/efficientnet.config.js";
export { EfficientNet } from "./efficientnet/efficientnet.js";
export * from "./fastest-det/fastest-det.config.js";
export { FastestDet } from "./fastest-det/fastest-det.js";
export { FeaturePyramidNetwork } from "./feature-pyramid.js";
export {
  type FeatureStage,
  ImageModel,
  type ImageModelCallOptions,
  type ImageModelParts,
} from "./image-model.js";
export * from "./lprnet/lprnet.config.js";
export { LPRNet } from "./lprnet/lprnet.js";
export * from "./mobilenet-v2/mobilenet-v2.config.js";
export { MobileNetV2 } from "./mobilenet-v2/mobilenet-v2.js";
export * from "./point-detector/point-detector.config.js";
export { PointDetector, type PointDetectorOutput } from "./point-detector/point-detector.js";
export type { AttentionInputs, AttentionOutput } from "./projected-attention.js";
export * from "./resnet/resnet.config.js";
export { type NormalizationFactory, ResNet, ResNetBackbone } from "./resnet/resnet.js";
export type { TextRecognitionModel, TextRecognitionModelParts } from "./text-recognition-model.js";
export * from "./vit/vit.config.js";
export { DeiT, ViT } from "./vit/vit.js";
