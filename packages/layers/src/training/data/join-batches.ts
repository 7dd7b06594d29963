import { concat, gather, InputError, type Tensor, tensor, tidy } from "@ai/tensor";
import { isPlainObject } from "../../module-output.js";
import { isTensor } from "./host-tensor.js";

/** A part of a batch, and how many items it has. */
export interface BatchPart {
  readonly batch: unknown;
  readonly items: number;
}

/**
 * Batches of one structure as one, in an order of their items; the parts stay the caller's.
 * @param order Of each item of the result: its place among the items of all parts.
 * @returns tensors `[items, ...]` and lists of strings in the structure of the parts.
 * @throws InputError when the parts differ in structure, or hold something else.
 */
export function joinBatches(operation: string, parts: readonly BatchPart[], order: Int32Array): unknown {
  const isInOrder = order.every((place, index) => place === index);
  const refuse = (got: string): never => {
    throw new InputError(
      `${operation}: expected batches of one structure, with tensors [items, ...] of one dtype or lists of strings, got ${got}; pass collate to the DataLoader, which reads item by item`,
    );
  };
  const join = (values: readonly unknown[]): unknown => {
    if (values.every(isTensor)) {
      const wrong = values.findIndex(({ shape }, part) => shape[0] !== parts[part].items);
      if (wrong >= 0) refuse(`a tensor [${values[wrong].shape.join(", ")}] for ${parts[wrong].items} items`);
      const other = values.find(({ dtype }) => dtype !== values[0].dtype);
      if (other !== undefined) refuse(`${values[0].dtype} and ${other.dtype} in one place`);
      const whole = concat(values as Tensor[], { axis: 0 }); // [items, ...]
      return isInOrder ? whole : gather(whole, tensor(order.slice(), [order.length], "int32"));
    }
    if (values.every((value): value is unknown[] => Array.isArray(value))) {
      const isText = values.every((list, part) => list.length === parts[part].items && list.every(isString));
      if (isText) return Array.from(order, (place) => values.flat()[place]);
      if (values.some(({ length }) => length !== values[0].length)) refuse("lists of other lengths");
      return values[0].map((_, index) => join(values.map((list) => list[index])));
    }
    if (!values.every(isPlainObject)) return refuse(`${values.map(describe).join(" and ")} in one place`);
    const [names, ...others] = values.map((value) => Object.keys(value as object).sort());
    if (others.some((keys) => keys.join() !== names.join())) refuse("objects of other names");
    return Object.fromEntries(
      names.map((name) => [name, join(values.map((value) => (value as Record<string, unknown>)[name]))]),
    );
  };
  return tidy(() => join(parts.map(({ batch }) => batch)) as Tensor);
}

const isString = (value: unknown): boolean => typeof value === "string";

function describe(value: unknown): string {
  if (isTensor(value)) return "a tensor";
  return Array.isArray(value) ? "a list" : typeof value;
}
