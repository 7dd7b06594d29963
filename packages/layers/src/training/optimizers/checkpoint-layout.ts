import { type Tensor, transpose } from "@ai/tensor";
import type { Parameter } from "../../parameter.js";

/** A parameter's tensor in PyTorch's order of axes. @param x `[...parameter.shape]` @returns `[...checkpointShape]` */
export function toCheckpointLayout({ checkpointPermutation }: Parameter, x: Tensor): Tensor {
  return checkpointPermutation === undefined ? x : transpose(x, checkpointPermutation);
}

/** The way back. @param x `[...checkpointShape]` @returns `[...parameter.shape]` */
export function fromCheckpointLayout({ checkpointPermutation }: Parameter, x: Tensor): Tensor {
  if (checkpointPermutation === undefined) return x;
  return transpose(
    x,
    checkpointPermutation.map((_, axis) => checkpointPermutation.indexOf(axis)),
  );
}
