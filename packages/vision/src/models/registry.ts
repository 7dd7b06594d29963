import { modelEntries } from "@ai/layers/tasks";
import type { ImageModel } from "./image-model.js";

/** What each task needs of a model. */
export interface VisionModels {
  readonly "image-classification": ImageModel;
}

/** How pictures are made ready: the content of a `preprocessor_config.json`. */
export interface ImagePreprocessing {
  /** The class in Transformers, which says what the other fields mean. */
  readonly image_processor_type: string;
  readonly [field: string]: unknown;
}

const entry = /* @__PURE__ */ modelEntries<VisionModels, ImagePreprocessing>();

const IMAGENET = { image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225] };

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
    tasks: ["image-classification"],
    preprocessing: {
      image_processor_type: "ConvNextImageProcessor",
      size: { shortest_edge: 224 },
      crop_pct: 0.875,
      resample: 3,
      ...IMAGENET,
    },
  }),
  cifarResNet: /* @__PURE__ */ entry({
    load: async () => ({
      ...(await import("./cifar-resnet/cifar-resnet.js")),
      ...(await import("./cifar-resnet/cifar-resnet.config.js")),
    }),
    create: ({ CifarResNet, readCifarResNetConfig }, config) => ({
      model: new CifarResNet(readCifarResNetConfig(config)),
      // the published file keeps what was trained beside how it went, under a wrapper's prefix
      mapping: [
        { from: "state_dict.module.{rest*}", to: "{rest*}" },
        { from: "module.{rest*}", to: "{rest*}" },
        { ignore: "best_prec1" },
      ],
    }),
    modelTypes: ["cifar_resnet"],
    tasks: ["image-classification"],
    preprocessing: {
      image_processor_type: "ViTImageProcessor",
      size: { height: 32, width: 32 },
      resample: 2,
      ...IMAGENET,
    },
  }),
};
