export {
  type LoadAdapterOptions,
  loadAdapter,
  type SaveAdapterOptions,
  saveAdapter,
  writeAdapter,
} from "./adapter-files.js";
export {
  type AdaptedLayer,
  applyLora,
  mergeLora,
  removeLora,
  setActiveAdapters,
  unmergeLora,
} from "./lora.js";
export type { LoraOptions, LoraTargets } from "./lora-options.js";
