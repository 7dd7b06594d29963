import { modelEntries } from "@ai/layers/tasks";
import type { DetectionModel } from "./detection-model.js";
import type { ImageModel } from "./image-model.js";
import type { TextRecognitionModel } from "./text-recognition-model.js";

/** What each task needs of a model. */
export interface VisionModels {
  readonly "image-classification": ImageModel;
  readonly "image-feature-extraction": ImageModel;
  readonly "object-detection": DetectionModel;
  readonly "image-to-text": TextRecognitionModel;
}

/** How pictures are made ready: the content of a `preprocessor_config.json`. */
export interface ImagePreprocessing {
  /** The class in Transformers, which says what the other fields mean. */
  readonly image_processor_type: string;
  readonly [field: string]: unknown;
}

const entry = /* @__PURE__ */ modelEntries<VisionModels, ImagePreprocessing>();

const IMAGENET = { image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225] };
const HALF = { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };

/** What every {@link ImageModel} does: its embedding is what its classifier reads. */
const OF_IMAGE_MODELS = ["image-classification", "image-feature-extraction"] as const;

/** The middle 224 of a picture whose shorter edge is 256, as torchvision evaluates its weights. */
const torchvision = (resample: number): ImagePreprocessing => ({
  image_processor_type: "CLIPImageProcessor",
  size: { shortest_edge: 256 },
  crop_size: { height: 224, width: 224 },
  resample,
  ...IMAGENET,
});

/** A square, whatever the picture's proportions. */
const square = (size: number, colors: typeof HALF): ImagePreprocessing => ({
  image_processor_type: "ViTImageProcessor",
  size: { height: size, width: size },
  resample: 2,
  ...colors,
});

/** Every model of this package, loaded on demand, with the tasks that it serves. */
export const models = {
  resnet: /* @__PURE__ */ entry({
    load: async () => ({
      ...(await import("./resnet/resnet.js")),
      ...(await import("./resnet/resnet.config.js")),
    }),
    create: ({ ResNet, readResNetConfig, RESNET_FROM_HUGGING_FACE }, config, weights) => ({
      model: new ResNet(readResNetConfig(config)),
      // torchvision's names are ours
      ...(weights.has("conv1.weight") ? {} : { mapping: RESNET_FROM_HUGGING_FACE }),
    }),
    modelTypes: ["resnet"],
    tasks: OF_IMAGE_MODELS,
    preprocessing: torchvision(2),
  }),
  cifarResNet: /* @__PURE__ */ entry({
    load: async () => ({
      ...(await import("./cifar-resnet/cifar-resnet.js")),
      ...(await import("./cifar-resnet/cifar-resnet.config.js")),
    }),
    create: ({ CifarResNet, readCifarResNetConfig }, config, weights) => ({
      model: new CifarResNet(readCifarResNetConfig(config)),
      // the published file keeps what was trained beside how it went, under a wrapper's prefix
      ...(weights.has("conv1.weight")
        ? {}
        : {
            mapping: [
              { from: "state_dict.module.{rest*}", to: "{rest*}" },
              { from: "module.{rest*}", to: "{rest*}" },
              { ignore: "best_prec1" },
            ],
          }),
    }),
    modelTypes: ["cifar_resnet"],
    tasks: OF_IMAGE_MODELS,
    preprocessing: square(32, IMAGENET),
  }),
  resnet9: /* @__PURE__ */ entry({
    load: async () => ({
      ...(await import("./resnet9/resnet9.js")),
      ...(await import("./resnet9/resnet9.config.js")),
    }),
    create: ({ ResNet9, readResNet9Config }, config) => ({ model: new ResNet9(readResNet9Config(config)) }),
    modelTypes: ["resnet9"],
    tasks: OF_IMAGE_MODELS,
    preprocessing: square(32, IMAGENET),
  }),
  mobileNetV2: /* @__PURE__ */ entry({
    load: async () => ({
      ...(await import("./mobilenet-v2/mobilenet-v2.js")),
      ...(await import("./mobilenet-v2/mobilenet-v2.config.js")),
    }),
    create(module, json, weights) {
      const config = module.readMobileNetV2Config(json);
      if (!weights.has("features.0.0.weight")) return { model: new module.MobileNetV2(config) };
      const model = new module.MobileNetV2({ ...config, ...module.MOBILENET_V2_TORCHVISION });
      return { model, mapping: module.MOBILENET_V2_FROM_TORCHVISION };
    },
    modelTypes: ["mobilenet_v2"],
    tasks: OF_IMAGE_MODELS,
    preprocessing: torchvision(2),
  }),
  efficientNet: /* @__PURE__ */ entry({
    load: async () => ({
      ...(await import("./efficientnet/efficientnet.js")),
      ...(await import("./efficientnet/efficientnet.config.js")),
    }),
    create(module, json, weights) {
      const config = module.readEfficientNetConfig(json);
      if (weights.has("_conv_stem.weight")) {
        // the Lite ones have no squeeze and excitation
        const lite = !weights.names.some((name) => name.includes("_se_reduce"));
        return {
          model: new module.EfficientNet({ ...config, lite }),
          mapping: module.EFFICIENTNET_FROM_PORT,
        };
      }
      if (!weights.has("features.0.0.weight")) return { model: new module.EfficientNet(config) };
      const model = new module.EfficientNet({ ...config, ...module.EFFICIENTNET_TORCHVISION });
      return { model, mapping: module.efficientNetFromTorchvision(config) };
    },
    modelTypes: ["efficientnet"],
    tasks: OF_IMAGE_MODELS,
    preprocessing: torchvision(3),
  }),
  convNext: /* @__PURE__ */ entry({
    load: async () => ({
      ...(await import("./convnext/convnext.js")),
      ...(await import("./convnext/convnext.config.js")),
    }),
    create: ({ ConvNext, readConvNextConfig }, config) => ({
      model: new ConvNext(readConvNextConfig(config)),
    }),
    modelTypes: ["convnext"],
    tasks: OF_IMAGE_MODELS,
    preprocessing: torchvision(3),
  }),
  vit: /* @__PURE__ */ entry({
    load: async () => ({ ...(await import("./vit/vit.js")), ...(await import("./vit/vit.config.js")) }),
    create: ({ ViT, readViTConfig }, config) => ({ model: new ViT(readViTConfig(config)) }),
    modelTypes: ["vit"],
    tasks: OF_IMAGE_MODELS,
    preprocessing: square(224, HALF),
  }),
  deit: /* @__PURE__ */ entry({
    load: async () => ({ ...(await import("./vit/vit.js")), ...(await import("./vit/vit.config.js")) }),
    create: ({ DeiT, readDeiTConfig }, config) => ({ model: new DeiT(readDeiTConfig(config)) }),
    modelTypes: ["deit"],
    tasks: OF_IMAGE_MODELS,
    preprocessing: torchvision(3),
  }),
  fastestDet: /* @__PURE__ */ entry({
    load: async () => ({
      ...(await import("./fastest-det/fastest-det.js")),
      ...(await import("./fastest-det/fastest-det.config.js")),
    }),
    create: ({ FastestDet, readFastestDetConfig }, config) => ({
      model: new FastestDet(readFastestDetConfig(config)),
    }),
    modelTypes: ["fastest_det"],
    tasks: ["object-detection"],
    // the published weights saw OpenCV's order of colours
    preprocessing: {
      image_processor_type: "MobileViTImageProcessor",
      size: { height: 352, width: 352 },
      resample: 2,
      do_center_crop: false,
      do_flip_channel_order: true,
    },
  }),
  detr: /* @__PURE__ */ entry({
    load: async () => ({ ...(await import("./detr/detr.js")), ...(await import("./detr/detr.config.js")) }),
    create: ({ Detr, readDetrConfig, DETR_FROM_HUGGING_FACE_BACKBONE }, config, weights) => ({
      model: new Detr(readDetrConfig(config)),
      // timm's names of the backbone are ours
      ...(weights.has("model.backbone.conv_encoder.model.conv1.weight")
        ? {}
        : { mapping: DETR_FROM_HUGGING_FACE_BACKBONE }),
    }),
    modelTypes: ["detr"],
    tasks: ["object-detection"],
    preprocessing: { image_processor_type: "DetrImageProcessor" },
  }),
  pointDetector: /* @__PURE__ */ entry({
    load: async () => ({
      ...(await import("./point-detector/point-detector.js")),
      ...(await import("./point-detector/point-detector.config.js")),
    }),
    create: ({ PointDetector, readPointDetectorConfig }, config) => ({
      model: new PointDetector(readPointDetectorConfig(config)),
    }),
    modelTypes: ["point_detector"],
    tasks: ["object-detection"],
    preprocessing: {
      image_processor_type: "ViTImageProcessor",
      size: { height: 240, width: 320 },
      resample: 2,
      ...IMAGENET,
    },
  }),
  lprnet: /* @__PURE__ */ entry({
    load: async () => ({
      ...(await import("./lprnet/lprnet.js")),
      ...(await import("./lprnet/lprnet.config.js")),
    }),
    create: ({ LPRNet, readLPRNetConfig }, config) => ({ model: new LPRNet(readLPRNetConfig(config)) }),
    modelTypes: ["lprnet"],
    tasks: ["image-to-text"],
    // (level − 127.5) / 128 in OpenCV's order of colours
    preprocessing: {
      image_processor_type: "MobileViTImageProcessor",
      size: { height: 24, width: 94 },
      resample: 2,
      do_center_crop: false,
      do_flip_channel_order: true,
      rescale_factor: 1 / 128,
      do_normalize: true,
      image_mean: [127.5 / 128, 127.5 / 128, 127.5 / 128],
      image_std: [1, 1, 1],
    },
  }),
};
