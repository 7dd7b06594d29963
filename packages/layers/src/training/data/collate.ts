import {
  type DType,
  fromValues,
  InputError,
  ShapeError,
  stack,
  type Tensor,
  type TypedArray,
  tidy,
} from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import {
  assertTruthValues,
  dtypeOfArray,
  type HostTensor,
  hostArray,
  isHostTensor,
  isTensor,
} from "./host-tensor.js";

/** The batch that items of a type become: every number, array and tensor a tensor `[batch, ...]`. */
export type Collated<Item> = Item extends string
  ? string[]
  : Item extends number | boolean | TypedArray | HostTensor | Tensor
    ? Tensor
    : { [Key in keyof Item]: Collated<Item[Key]> };

/** Options of {@link createCollate}. */
export interface CollateOptions {
  /** What plain numbers become: `"int32"` for class indices and token ids. Default `"float32"`. */
  readonly numberDtype?: "float32" | "int32";
}

/**
 * Makes the function that turns a list of items into one batch. Every item has the same structure: numbers,
 * booleans, typed arrays, host tensors and tensors get a leading batch axis, lists and plain objects keep their
 * form, strings become a list of strings.
 * @returns a function from items to a batch whose tensors are `[batch, ...]`.
 * @example
 * const collate = createCollate({ numberDtype: "int32" });
 * for await (const { image, label } of new DataLoader(data, { batchSize: 8, collate })) { … }
 */
export function createCollate(
  options: CollateOptions = {},
): <Item>(items: readonly Item[]) => Collated<Item> {
  assertOptionNames("createCollate", options, ["numberDtype"]);
  const { numberDtype = "float32" } = options;
  if (numberDtype !== "float32" && numberDtype !== "int32")
    throw new InputError(`createCollate: expected numberDtype float32 or int32, got ${String(numberDtype)}`);
  return <Item>(items: readonly Item[]) => {
    if (items.length === 0) throw new InputError("collate: expected at least one item, got none");
    return tidy(() => stackItems(items, numberDtype, "item") as Collated<Item>);
  };
}

function stackItems(items: readonly unknown[], numberDtype: DType, path: string): unknown {
  const first = items[0];
  const kind = kindOf(first);
  const other = items.map(kindOf).find((each) => each !== kind);
  if (other !== undefined)
    throw new InputError(`collate: expected ${kind} at ${path} of every item, got ${other}`);
  if (isTensor(first)) return stackTensors(items as Tensor[], path);
  if (isHostTensor(first)) return stackHost(items as HostTensor[], path);
  if (ArrayBuffer.isView(first)) {
    const asHost = (values: TypedArray): HostTensor => ({
      values,
      shape: [values.length],
      dtype: dtypeOfArray(`collate: ${path}`, values),
    });
    return stackHost((items as TypedArray[]).map(asHost), path);
  }
  if (typeof first === "number" || typeof first === "boolean") return stackScalars(items, numberDtype, path);
  if (typeof first === "string") return [...items];
  if (Array.isArray(first)) {
    const rows = items as unknown[][];
    if (rows.some((row) => row.length !== first.length))
      throw new ShapeError(
        `collate: expected lists of length ${first.length} at ${path}, got another length; pad them first`,
      );
    return first.map((_, index) =>
      stackItems(
        rows.map((row) => row[index]),
        numberDtype,
        `${path}[${index}]`,
      ),
    );
  }
  if (typeof first === "object" && first !== null) {
    const rows = items as Record<string, unknown>[];
    return Object.fromEntries(
      Object.keys(first).map((name) => [
        name,
        stackItems(
          rows.map((row) => row[name]),
          numberDtype,
          `${path}.${name}`,
        ),
      ]),
    );
  }
  throw new InputError(
    `collate: expected tensors, typed arrays, numbers, booleans, strings, lists or plain objects at ${path}, got ${first === null ? "null" : typeof first}; pass { collate }`,
  );
}

/** What an item is, in words. */
function kindOf(item: unknown): string {
  if (isTensor(item)) return "a tensor";
  if (isHostTensor(item)) return "a host tensor";
  if (ArrayBuffer.isView(item)) return "a typed array";
  if (Array.isArray(item)) return "a list";
  if (item === null || item === undefined) return String(item);
  return typeof item === "object" ? "an object" : `a ${typeof item}`;
}

function assertOneDtype(items: readonly { readonly dtype: string }[], path: string): void {
  const { dtype } = items[0];
  const other = items.find((item) => item.dtype !== dtype);
  if (other !== undefined)
    throw new InputError(
      `collate: expected ${dtype} at ${path} of every item, got ${other.dtype}; convert one of them`,
    );
}

/** @returns `[batch, ...]` */
function stackTensors(items: readonly Tensor[], path: string): Tensor {
  assertOneDtype(items, path);
  const shape = items[0].shape.join(", ");
  const other = items.find((item) => item.shape.join(", ") !== shape);
  if (other !== undefined)
    throw new ShapeError(
      `collate: expected shape [${shape}] at ${path} of every item, got [${other.shape.join(", ")}]; pad or crop them first, or pass a collate with padSequence`,
    );
  return stack(items as Tensor[]); // [batch, ...]
}

function stackScalars(items: readonly unknown[], numberDtype: DType, path: string): Tensor {
  const dtype = typeof items[0] === "boolean" ? "bool" : numberDtype;
  const values = hostArray("collate", dtype, items.length);
  items.forEach((item, index) => {
    if (dtype === "int32" && !Number.isInteger(item))
      throw new InputError(`collate: expected integers at ${path}, got ${item}; use numberDtype "float32"`);
    values[index] = Number(item);
  });
  return fromValues(values, [items.length], dtype); // [batch]
}

function stackHost(items: readonly HostTensor[], path: string): Tensor {
  assertOneDtype(items, path);
  const { shape, dtype } = items[0];
  const size = items[0].values.length;
  const values = hostArray("collate", dtype, items.length * size);
  items.forEach((item, index) => {
    if (item.values.length !== size || item.shape.some((length, axis) => length !== shape[axis]))
      throw new ShapeError(
        `collate: expected shape [${shape.join(", ")}] at ${path} of every item, got [${item.shape.join(", ")}]; pad or crop them first, or pass a collate with padSequence`,
      );
    assertTruthValues(`collate: ${path}`, item);
    values.set(item.values, index * size);
  });
  return fromValues(values, [items.length, ...shape], dtype); // [batch, ...]
}
