import { type Shape, stridesOf } from "../../../shape.js";
import { i32, type Uniform, u32 } from "../dispatch.js";

/** Where one operand of a strided kernel lies: element `i` is at `offset + Σ i[axis]·strides[axis]`. */
export interface Operand {
  readonly strides: readonly number[];
  readonly offset?: number;
}

/** A row-major walk over a block, with the position of each element in every operand. */
export interface Walk {
  /** Axes left after merging; the WGSL depends on nothing else. */
  readonly rank: number;
  readonly uniforms: Record<string, Uniform>;
}

/** Strides of a tensor inside a larger shape that it broadcasts to: 0 along repeated axes. */
export function broadcastStrides(shape: Shape, target: Shape): number[] {
  const own = stridesOf(shape);
  const lead = target.length - shape.length;
  return target.map((_, axis) => (axis < lead || shape[axis - lead] === 1 ? 0 : own[axis - lead]));
}

/**
 * Merges neighbouring axes that every operand steps through evenly and drops axes of size 1, so that any rank becomes
 * a short one and one shader serves most shapes.
 */
export function walk(prefix: string, shape: Shape, operands: Readonly<Record<string, Operand>>): Walk {
  const names = Object.keys(operands);
  const sizes: number[] = [];
  const strides: number[][] = [];
  shape.forEach((size, axis) => {
    if (size === 1) return;
    const steps = names.map((name) => operands[name].strides[axis]);
    const last = sizes.length - 1;
    if (last >= 0 && steps.every((step, operand) => strides[last][operand] === step * size)) {
      sizes[last] *= size;
      strides[last] = steps;
    } else {
      sizes.push(size);
      strides.push(steps);
    }
  });
  const uniforms: Record<string, Uniform> = {};
  for (let axis = 1; axis < sizes.length; axis++) uniforms[`${prefix}Size${axis}`] = u32(sizes[axis]);
  names.forEach((name, operand) => {
    uniforms[`${prefix}_${name}Offset`] = i32(operands[name].offset ?? 0);
    for (let axis = 0; axis < sizes.length; axis++)
      uniforms[`${prefix}_${name}Stride${axis}`] = i32(strides[axis][operand]);
  });
  return { rank: sizes.length, uniforms };
}

/**
 * WGSL that turns the row-major number `index` (u32) of an element into its position in each operand:
 * `let NAMEAt = …` (u32).
 */
export function walkWgsl(prefix: string, rank: number, names: readonly string[], index: string): string {
  const lines: string[] = [];
  let rest = index;
  for (let axis = rank - 1; axis >= 1; axis--) {
    lines.push(`let ${prefix}${axis} = i32(${rest} % uniforms.${prefix}Size${axis});`);
    lines.push(`let ${prefix}Rest${axis} = ${rest} / uniforms.${prefix}Size${axis};`);
    rest = `${prefix}Rest${axis}`;
  }
  if (rank > 0) lines.push(`let ${prefix}0 = i32(${rest});`);
  for (const name of names) {
    const terms = [`uniforms.${prefix}_${name}Offset`];
    for (let axis = 0; axis < rank; axis++)
      terms.push(`${prefix}${axis} * uniforms.${prefix}_${name}Stride${axis}`);
    lines.push(`let ${name}At = u32(${terms.join(" + ")});`);
  }
  return lines.join("\n");
}
