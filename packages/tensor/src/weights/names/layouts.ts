import { WeightsError } from "../../errors.js";
import { formatShape, type Shape, sizeOf } from "../../shape.js";
import type { HostEntry } from "../dtypes.js";
import type { LazyEntry } from "../weights-file.js";
import { type HostValues, joinHost, normsHost, sliceHost, weightNormHost } from "./host-layouts.js";
import type { Layout } from "./rules.js";

/** A lying file may claim any length of an axis when another one is 0. */
const MOST_PARTS = 100_000;

/** What a rule makes of its sources; shapes are known now, values when they are asked for. */
export interface Planned {
  readonly shape: Shape;
  readonly load: (signal?: AbortSignal) => Promise<HostEntry>;
}

const entry = (like: HostEntry, shape: Shape, values: HostValues): HostEntry =>
  ({ dtype: like.dtype, shape, values }) as HostEntry;

/** Several results of one source: it is read once while any of them is in use. */
function shared(source: LazyEntry): LazyEntry["load"] {
  let last: WeakRef<HostEntry> | undefined;
  return async (signal) => {
    const known = last?.deref();
    if (known !== undefined) return known;
    const host = await source.load(signal);
    last = new WeakRef(host);
    return host;
  };
}

async function loadAlike(
  where: string,
  sources: readonly LazyEntry[],
  signal: AbortSignal | undefined,
): Promise<HostEntry[]> {
  const parts: HostEntry[] = [];
  for (const source of sources) parts.push(await source.load(signal));
  const other = parts.find(({ dtype }) => dtype !== parts[0].dtype);
  if (other !== undefined)
    throw new WeightsError(`${where}: expected parts of one dtype, got ${parts[0].dtype} and ${other.dtype}`);
  return parts;
}

function assertAxis(where: string, axis: number, shape: Shape): void {
  if (axis >= shape.length)
    throw new WeightsError(`${where}: expected a shape with axis ${axis}, got ${formatShape(shape)}`);
}

const setLength = (shape: Shape, axis: number, length: number): number[] =>
  shape.map((old, index) => (index === axis ? length : old));

/** Lengths of the parts of an axis; they must be whole. */
function partLengths(where: string, total: number, sizes: readonly number[], shape: Shape): number[] {
  const sum = sizes.reduce((a, b) => a + b, 0);
  const lengths = sizes.map((size) => (total * size) / sum);
  if (!lengths.every(Number.isInteger))
    throw new WeightsError(
      `${where}: expected an axis that splits as ${sizes.join(" : ")}, got ${total} of ${formatShape(shape)}`,
    );
  return lengths;
}

function join(where: string, sources: readonly LazyEntry[], axis: number, sizes: readonly number[]): Planned {
  const [first] = sources;
  assertAxis(where, axis, first.shape);
  for (const { shape } of sources)
    if (
      shape.length !== first.shape.length ||
      shape.some((length, index) => index !== axis && length !== first.shape[index])
    )
      throw new WeightsError(
        `${where}: expected parts that fit along axis ${axis}, got ${sources.map((source) => formatShape(source.shape)).join(" and ")}`,
      );
  const total = sources.reduce((sum, { shape }) => sum + shape[axis], 0);
  const expected = partLengths(where, total, sizes, setLength(first.shape, axis, total));
  if (sources.some(({ shape }, index) => shape[axis] !== expected[index]))
    throw new WeightsError(
      `${where}: expected lengths ${expected.join(", ")} along axis ${axis}, got ${sources.map(({ shape }) => shape[axis]).join(", ")}; say join.sizes, so that the mapping leads back`,
    );
  const shape = setLength(first.shape, axis, total);
  return {
    shape,
    async load(signal) {
      const parts = await loadAlike(where, sources, signal);
      return entry(parts[0], shape, joinHost(parts, axis));
    },
  };
}

function split(where: string, source: LazyEntry, axis: number, sizes: readonly number[]): Planned[] {
  assertAxis(where, axis, source.shape);
  const lengths = partLengths(where, source.shape[axis], sizes, source.shape);
  const load = shared(source);
  return lengths.map((length, index) => {
    const start = lengths.slice(0, index).reduce((a, b) => a + b, 0);
    const shape = setLength(source.shape, axis, length);
    return {
      shape,
      async load(signal) {
        const whole = await load(signal);
        return entry(whole, shape, sliceHost(whole.values, source.shape, { axis, start, length }));
      },
    };
  });
}

function stack(where: string, sources: readonly LazyEntry[], axis: number): Planned {
  const shape = [...sources[0].shape];
  if (axis > shape.length)
    throw new WeightsError(
      `${where}: expected a shape with at least ${axis} axes, got ${formatShape(shape)}`,
    );
  const other = sources.find((source) => formatShape(source.shape) !== formatShape(shape));
  if (other !== undefined)
    throw new WeightsError(
      `${where}: expected parts of one shape, got ${formatShape(shape)} and ${formatShape(other.shape)}`,
    );
  const part = [...shape.slice(0, axis), 1, ...shape.slice(axis)];
  const whole = setLength(part, axis, sources.length);
  return {
    shape: whole,
    async load(signal) {
      const parts = await loadAlike(where, sources, signal);
      return entry(
        parts[0],
        whole,
        joinHost(
          parts.map(({ values }) => ({ shape: part, values })),
          axis,
        ),
      );
    },
  };
}

function unstack(where: string, source: LazyEntry, axis: number): Planned[] {
  assertAxis(where, axis, source.shape);
  const shape = source.shape.filter((_, index) => index !== axis);
  if (source.shape[axis] > MOST_PARTS)
    throw new WeightsError(
      `${where}: expected at most ${MOST_PARTS} parts along axis ${axis}, got ${formatShape(source.shape)}`,
    );
  const load = shared(source);
  return Array.from({ length: source.shape[axis] }, (_, start) => ({
    shape,
    async load(signal) {
      const whole = await load(signal);
      return entry(whole, shape, sliceHost(whole.values, source.shape, { axis, start, length: 1 }));
    },
  }));
}

function floats(where: string, host: HostEntry): Float32Array {
  if (host.dtype !== "float32")
    throw new WeightsError(`${where}: expected floating-point values, got ${host.dtype}`);
  return host.values;
}

function weightNorm(where: string, [g, v]: readonly LazyEntry[], axis: number): Planned {
  assertAxis(where, axis, v.shape);
  if (sizeOf(g.shape) !== v.shape[axis])
    throw new WeightsError(
      `${where}: expected ${v.shape[axis]} norms for axis ${axis} of ${formatShape(v.shape)}, got ${formatShape(g.shape)}`,
    );
  return {
    shape: v.shape,
    async load(signal) {
      const [norms, direction] = await loadAlike(where, [g, v], signal);
      return {
        dtype: "float32",
        shape: v.shape,
        values: weightNormHost(floats(where, norms), floats(where, direction), v.shape, axis),
      };
    },
  };
}

function splitNorm(where: string, source: LazyEntry, axis: number): Planned[] {
  assertAxis(where, axis, source.shape);
  const shape = source.shape.map((length, index) => (index === axis ? length : 1));
  const load = shared(source);
  return [
    {
      shape,
      async load(signal) {
        const values = floats(where, await load(signal));
        return { dtype: "float32", shape, values: Float32Array.from(normsHost(values, source.shape, axis)) };
      },
    },
    { shape: source.shape, load },
  ];
}

function rename(
  where: string,
  source: LazyEntry,
  { rearrangement, order }: Extract<Layout, { kind: "rename" }>,
): Planned {
  const shape = rearrangement === undefined ? source.shape : rearrangement.shape(where, source.shape);
  if (order !== undefined) {
    assertAxis(where, order.axis, shape);
    partLengths(where, shape[order.axis], new Array(order.parts.length).fill(1), shape);
  }
  if (rearrangement === undefined && order === undefined)
    return { shape, load: (signal) => source.load(signal) };
  return {
    shape,
    async load(signal) {
      const host = await source.load(signal);
      let values = host.values;
      if (rearrangement !== undefined) values = rearrangement.values(where, source.shape, values);
      if (order !== undefined) {
        const { axis, parts } = order;
        const length = shape[axis] / parts.length;
        const pieces = parts.map((part) => ({
          shape: setLength(shape, axis, length),
          values: sliceHost(values, shape, { axis, start: part * length, length }),
        }));
        values = joinHost(pieces, axis);
      }
      return entry(host, shape, values);
    },
  };
}

/**
 * What a layout makes of sources.
 * @param where Names the rule and the result in errors.
 * @param sources In the rule's order; those of a stack by their number.
 * @throws WeightsError when shapes do not fit.
 */
export function planLayout(where: string, layout: Layout, sources: readonly LazyEntry[]): Planned[] {
  switch (layout.kind) {
    case "rename":
      return [rename(where, sources[0], layout)];
    case "join":
      return [join(where, sources, layout.axis, layout.sizes)];
    case "split":
      return split(where, sources[0], layout.axis, layout.sizes);
    case "stack":
      return [stack(where, sources, layout.axis)];
    case "unstack":
      return unstack(where, sources[0], layout.axis);
    case "weightNorm":
      return [weightNorm(where, sources, layout.axis)];
    case "splitNorm":
      return splitNorm(where, sources[0], layout.axis);
    default:
      return [];
  }
}
