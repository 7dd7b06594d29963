import { reshape, type Tensor } from "@ai/tensor";
import { tensorsIn } from "./summary.js";

/** A tensor of the result, alone or in arrays and plain objects, that is one of the inputs or a parameter becomes a tensor of its own, so that its owner may dispose it. */
export function detach<Output>(output: Output, inputs: readonly unknown[]): Output {
  const isOwn = isTensor(output) && !output.kept && !inputs.includes(output);
  if (isOwn && inputs.every((input) => isTensor(input) || typeof input !== "object")) return output;
  const owners = new Set(inputs.flatMap(tensorsIn));
  const own = (value: unknown): unknown => {
    if (isTensor(value)) return value.kept || owners.has(value) ? reshape(value, value.shape) : value;
    if (Array.isArray(value)) return tensorsIn(value).some(isForeign) ? value.map(own) : value;
    if (!isPlainObject(value) || !tensorsIn(value).some(isForeign)) return value;
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, own(part)]));
  };
  const isForeign = (value: Tensor): boolean => value.kept || owners.has(value);
  return own(output) as Output;
}

function isTensor(value: unknown): value is Tensor {
  return typeof value === "object" && value !== null && "dataId" in value;
}

/** Whether a value is an object as braces make it. */
export function isPlainObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
