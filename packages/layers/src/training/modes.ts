import type { Module } from "../module.js";
import type { TrainableModel } from "./trainer-options.js";

/** Notes which parts of a model are in training mode. @returns a function that sets them so again. */
export function rememberModes(model: TrainableModel): () => void {
  const named = (model as Partial<Pick<Module, "namedModules">>).namedModules?.();
  const parts: { training: boolean }[] = named?.map(([, part]) => part) ?? [model];
  const modes = parts.map(({ training }) => training);
  return () => {
    parts.forEach((part, index) => {
      part.training = modes[index];
    });
  };
}
