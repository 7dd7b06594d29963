import type { OwnModels } from "@ai/layers/tasks";
import { bccdCells, cifar10Small, mnistDigits } from "../pretrained.js";

/** A classifier's features serve the recogniser and the search for similar pictures, too. */
const CLASSIFIER = ["image-classification", "image-feature-extraction"];

/** Models of ours that may be loaded by name. */
export const visionModels: OwnModels = {
  "bccd-cells": { tasks: ["object-detection"], load: async () => ({ files: bccdCells() }) },
  "cifar10-small": { tasks: CLASSIFIER, load: async () => ({ files: cifar10Small() }) },
  "mnist-digits": { tasks: CLASSIFIER, load: async () => ({ files: mnistDigits() }) },
};
