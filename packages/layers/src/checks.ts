import { InputError, type Shape, ShapeError, type Tensor } from "@ai/tensor";

/** `[2, 3]` as text, for errors. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** @throws InputError unless every named value is an integer of at least `minimum`. */
export function assertIntegers(layer: string, values: Readonly<Record<string, number>>, minimum = 1): void {
  for (const [name, value] of Object.entries(values))
    if (!Number.isInteger(value) || value < minimum)
      throw new InputError(
        `${layer}: expected an integer ${name}${minimum > Number.NEGATIVE_INFINITY ? ` of at least ${minimum}` : ""}, got ${typeof value === "string" ? `"${value}"` : value}`,
      );
}

/** @throws InputError unless a constructor that takes no arguments was given none. */
export function assertNothing(layer: string, given: readonly unknown[]): void {
  if (given.length > 0)
    throw new InputError(`${layer}: expected no arguments, got ${given.length}; leave them out`);
}

/** @throws InputError unless `value` is a probability in [0, 1]. */
export function assertProbability(layer: string, name: string, value: number): void {
  if (!(typeof value === "number" && value >= 0 && value <= 1))
    throw new InputError(`${layer}: expected ${name} in [0, 1], got ${value}`);
}

/** @throws InputError unless `value` is one of `known`. */
export function assertOneOf(layer: string, name: string, value: unknown, known: readonly string[]): void {
  if (!known.includes(value as string))
    throw new InputError(
      `${layer}: expected ${name} ${known.map((text) => `"${text}"`).join(" or ")}, got ${String(value)}`,
    );
}

/** One number for all axes, or one each. @throws InputError unless they are integers of at least `minimum`. */
export function sizesOf(
  layer: string,
  name: string,
  value: number | readonly number[],
  { axes, minimum }: { readonly axes: number; readonly minimum: number },
): number[] {
  const values = typeof value === "number" ? new Array<number>(axes).fill(value) : value;
  if (!Array.isArray(values) || values.length !== axes)
    throw new InputError(
      `${layer}: expected one number${axes > 1 ? ` or ${axes}` : ""} for ${name}, got ${JSON.stringify(value)}`,
    );
  values.forEach((size, axis) => {
    assertIntegers(layer, { [axes > 1 ? `${name} (axis ${axis})` : name]: size }, minimum);
  });
  return [...values];
}

/** @throws InputError unless `x` is a tensor: of all mistakes the commonest is a plain array. */
export function assertTensor(x: unknown, name = "input"): asserts x is Tensor {
  if (typeof x !== "object" || x === null || !("dataId" in x))
    throw new InputError(`expected a tensor as ${name}, got ${describeNoTensor(x)}`);
}

function describeNoTensor(x: unknown): string {
  if (Array.isArray(x)) return "an array; make a tensor of it with tensor()";
  if (typeof x !== "object" || x === null) return `${x === null ? "null" : typeof x}; make one with tensor()`;
  if ("value" in x && "requiresGrad" in x) return "a parameter; pass parameter.value";
  const names = Object.entries(x).flatMap(([key, part]) =>
    typeof part === "object" && part !== null && "dataId" in part ? [key] : [],
  );
  return names.length === 0
    ? "object; make one with tensor()"
    : `an object with ${names.join(", ")}; take the one you need, as in lstm.call(x).output`;
}

/**
 * @param axes Names of the axes, for the message; the last one has the size `last`.
 * @throws ShapeError unless `x` has as many axes and that last size.
 */
export function assertShape(x: Tensor, axes: readonly string[], last?: number, hint = ""): void {
  assertTensor(x);
  const { shape } = x;
  if (shape.length === axes.length && (last === undefined || shape.at(-1) === last)) return;
  const expected = axes.map((name, index) =>
    index === axes.length - 1 && last !== undefined ? String(last) : name,
  );
  throw new ShapeError(`expected an input [${expected.join(", ")}], got ${formatShape(shape)}${hint}`);
}
