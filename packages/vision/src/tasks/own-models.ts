import type { OwnModels } from "@ai/layers/tasks";
import { bccdCells, cifar10Small } from "../pretrained.js";

/** Models of ours that may be loaded by name. */
export const visionModels: OwnModels = {
  "bccd-cells": { tasks: ["object-detection"], load: async () => ({ files: bccdCells() }) },
  "cifar10-small": { tasks: ["image-classification"], load: async () => ({ files: cifar10Small() }) },
};
