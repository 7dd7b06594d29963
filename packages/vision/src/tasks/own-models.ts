import type { OwnModels } from "@ai/layers/tasks";

/** Models of ours that may be loaded by name. */
export const visionModels: OwnModels = {};
