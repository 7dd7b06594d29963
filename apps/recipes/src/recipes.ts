import { checkpointing } from "./checkpointing.js";
import { distillation } from "./distillation.js";
import { half } from "./half-precision.js";
import { lora } from "./lora.js";
import { pruning } from "./pruning.js";
import { quantization } from "./quantization.js";
import type { Row } from "./table.js";
import type { RecipeOptions } from "./training.js";

/** All recipes by what the command line calls them. */
export const RECIPES: Readonly<Record<string, (options: RecipeOptions) => Promise<Row[]>>> = {
  lora,
  distillation,
  pruning,
  quantization,
  "half-precision": half,
  checkpointing,
};
