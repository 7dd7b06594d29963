import { InputError, WeightsError } from "../../errors.js";
import { formatShape, type Shape } from "../../shape.js";
import { type HostValues, permuteHost } from "./host-layouts.js";

/** How axes move, such as `"(heads two dim) in -> (heads dim two) in"`. */
export interface Rearrangement {
  /** @throws WeightsError when the shape does not fit. */
  shape(where: string, from: Shape): Shape;
  values(where: string, from: Shape, values: HostValues): HostValues;
}

type Groups = readonly (readonly string[])[];

/** Axes in groups: a name is a group of one, `1` an empty one. */
function parseSide(operation: string, text: string): Groups {
  const tokens = text.match(/\([^()]*\)|[a-z]\w*|1|\S/gi) ?? [];
  return tokens.map((token) => {
    if (token === "1") return [];
    const names = token.startsWith("(") ? token.slice(1, -1).trim().split(/\s+/) : [token];
    const wrong = names.find((name) => !/^[a-z]\w*$/i.test(name));
    if (wrong !== undefined)
      throw new InputError(
        `${operation}: expected names of axes, "(a b)" or "1" in rearrange, got ${JSON.stringify(text)}`,
      );
    return names;
  });
}

/**
 * Reads `"a b -> b a"`: each axis on both sides once, several in parentheses are one axis of the tensor, `1` is an axis of
 * length 1.
 * @param sizes Lengths of axes in parentheses; one in each may be left out.
 * @throws InputError for anything else.
 */
export function parseRearrangement(
  operation: string,
  text: string,
  sizes: Readonly<Record<string, number>>,
): Rearrangement {
  const sides = typeof text === "string" ? text.split("->") : [];
  if (sides.length !== 2)
    throw new InputError(`${operation}: expected rearrange as "a b -> b a", got ${JSON.stringify(text)}`);
  const [left, right] = sides.map((side) => parseSide(operation, side));
  const [from, to] = [left.flat(), right.flat()];
  const isOnce = new Set(from).size === from.length && new Set(to).size === to.length;
  if (!isOnce || from.length !== to.length || !to.every((name) => from.includes(name)))
    throw new InputError(
      `${operation}: expected each axis once on both sides of rearrange, got ${JSON.stringify(text)}`,
    );
  for (const [name, size] of Object.entries(sizes))
    if (!from.includes(name) || !Number.isInteger(size) || size < 1)
      throw new InputError(`${operation}: expected sizes of axes of rearrange above 0, got ${name}: ${size}`);

  const lengthsOf = (where: string, shape: Shape): Map<string, number> => {
    const fail = (): never => {
      const given = Object.entries(sizes).map(([name, size]) => `, ${name} = ${size}`);
      throw new WeightsError(
        `${where}: expected a shape that "${text}"${given.join("")} fits, got ${formatShape(shape)}`,
      );
    };
    if (shape.length !== left.length) return fail();
    const lengths = new Map<string, number>();
    for (const [axis, group] of left.entries()) {
      const known = group.filter((name) => Object.hasOwn(sizes, name));
      const product = known.reduce((size, name) => size * sizes[name], 1);
      const open = group.filter((name) => !Object.hasOwn(sizes, name));
      if (shape[axis] % product !== 0 || open.length > 1 || (open.length === 0 && shape[axis] !== product))
        return fail();
      for (const name of known) lengths.set(name, sizes[name]);
      for (const name of open) lengths.set(name, shape[axis] / product);
    }
    return lengths;
  };
  const shapeOf = (lengths: ReadonlyMap<string, number>): Shape =>
    right.map((group) => group.reduce((size, name) => size * lengths.get(name)!, 1));
  return {
    shape: (where, shape) => shapeOf(lengthsOf(where, shape)),
    values(where, shape, values) {
      const lengths = lengthsOf(where, shape);
      return permuteHost(
        values,
        from.map((name) => lengths.get(name)!),
        to.map((name) => from.indexOf(name)),
      );
    },
  };
}
