import { InputError, mean, ShapeError, sum, type Tensor, type TensorLike, tensor } from "@ai/tensor";

/** How the losses of single elements become the result: their mean, their sum, or as they are. */
export type Reduction = "mean" | "sum" | "none";

/** @throws InputError for a reduction that is not one. */
export function assertReduction(operation: string, reduction: string): void {
  if (reduction !== "mean" && reduction !== "sum" && reduction !== "none")
    throw new InputError(`${operation}: expected reduction mean, sum or none, got ${reduction}`);
}

/** Reduces element losses. @param values `[...]` @returns `[]`, or `[...]` for "none" */
export function reduceLoss(values: Tensor, reduction: Reduction): Tensor {
  if (reduction === "none") return values;
  return reduction === "mean" ? mean(values) : sum(values);
}

/** Class or element weights as a float32 tensor: a list becomes a new tensor of the surrounding tidy. */
export function weightTensor(operation: string, weight: Tensor | readonly number[]): Tensor {
  if (!Array.isArray(weight)) {
    if ((weight as Tensor).dtype !== "float32")
      throw new InputError(
        `${operation}: expected float32 weights, got ${(weight as Tensor).dtype}; cast them first`,
      );
    return weight as Tensor;
  }
  return tensor(weight, [weight.length], "float32");
}

/** @throws ShapeError when a prediction and its target differ in shape: broadcasting here hides mistakes. */
export function assertSameShape(operation: string, input: Tensor, target: Tensor): void {
  if (
    input.shape.length !== target.shape.length ||
    input.shape.some((length, axis) => length !== target.shape[axis])
  )
    throw new ShapeError(
      `${operation}: expected input and target of one shape, got [${input.shape.join(", ")}] and [${target.shape.join(", ")}]; reshape one of them`,
    );
}

/** @throws InputError when a value is not a float32 tensor. */
export function assertFloat(operation: string, name: string, value: Tensor | TensorLike): void {
  const dtype = (value as Tensor)?.dtype;
  if (dtype !== "float32")
    throw new InputError(
      `${operation}: expected a float32 ${name}, got ${dtype ?? typeof value}; cast it first`,
    );
}

/** @throws InputError when a value is neither a float32 nor an int32 tensor. */
export function assertNumberType(operation: string, name: string, value: Tensor): void {
  const dtype: string | undefined = value?.dtype;
  if (dtype !== "float32" && dtype !== "int32")
    throw new InputError(
      `${operation}: expected a float32 or int32 ${name}, got ${dtype ?? typeof value}; cast it first`,
    );
}

/** @throws InputError when class indices are no int32 tensor, ShapeError when their shape is another. */
export function assertClasses(operation: string, targets: Tensor, lead: readonly number[]): void {
  const dtype: string | undefined = targets?.dtype;
  if (dtype !== "int32")
    throw new InputError(
      `${operation}: expected int32 class indices as targets, got ${dtype ?? typeof targets}; cast them first`,
    );
  if (targets.shape.length !== lead.length || targets.shape.some((length, axis) => length !== lead[axis]))
    throw new ShapeError(
      `${operation}: expected class indices of shape [${lead.join(", ")}], got [${targets.shape.join(", ")}]`,
    );
}

/** @throws InputError unless the class that does not count is an integer, or there is none. */
export function assertIgnoreIndex(operation: string, ignoreIndex: number | undefined): void {
  if (ignoreIndex !== undefined && !Number.isInteger(ignoreIndex))
    throw new InputError(
      `${operation}: expected an integer ignoreIndex, got ${typeof ignoreIndex === "string" ? `"${ignoreIndex}"` : ignoreIndex}`,
    );
}

/** @throws ShapeError unless there is one weight a class. */
export function assertWeights(operation: string, weights: Tensor, classes: number): void {
  if (weights.shape.length !== 1 || weights.shape[0] !== classes)
    throw new ShapeError(
      `${operation}: expected weights of shape [${classes}], got [${weights.shape.join(", ")}]`,
    );
}
