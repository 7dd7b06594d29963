import type { Tensor } from "@tensorflow/tfjs-core";
import { InputError, ShapeError } from "../errors.js";
import { tidy } from "../memory.js";
import { formatShape, sizeOf } from "../shape.js";
import { mul } from "./arithmetic.js";
import { alias, assertTensor } from "./broadcast.js";
import { concat, split } from "./concat.js";
import { matMul } from "./matmul.js";
import { sum } from "./reduce.js";
import { reshape, transpose } from "./shape-ops.js";

/** A tensor whose axes have names: letters, and numbers for the axes of an ellipsis. */
interface Labelled {
  readonly tensor: Tensor;
  readonly labels: readonly string[];
}

/**
 * Einstein summation, `torch.einsum`: multiplies tensors along named axes and sums over the names that the
 * result leaves out. A letter twice in one operand takes the diagonal; `...` stands for further axes, which broadcast;
 * without `->` the result has the letters that occur once, in alphabetical order. Operands are taken from left to right.
 * @param equation for example `"bik,bkj->bij"` @param tensors one an operand, `[...]` with an axis a letter
 * @returns an axis for each letter after `->`.
 * @throws InputError for a malformed equation. @throws ShapeError when sizes do not fit it.
 * @example
 * const scores = einsum("bqhd,bkhd->bhqk", query, key);
 */
export function einsum(equation: string, ...tensors: Tensor[]): Tensor {
  if (typeof equation !== "string")
    throw new InputError(`einsum: expected an equation such as "ij,jk->ik" first, got ${typeof equation}`);
  for (const tensor of tensors) assertTensor("einsum", tensor);
  const { operands, output } = parse(equation, tensors);
  const sizes = measure(equation, operands, tensors);
  return tidy(() => {
    const terms = operands.map((labels, index) => {
      const single = diagonals({ tensor: tensors[index], labels });
      return dropBroadcast(single, sizes);
    });
    let result = terms[0];
    for (let index = 1; index < terms.length; index++) {
      const later = new Set([...output, ...terms.slice(index + 1).flatMap(({ labels }) => labels)]);
      result = contract(result, terms[index], later);
    }
    return arrange(sumOut(result, new Set(output)), output);
  });
}

function malformed(equation: string, problem: string): InputError {
  return new InputError(`einsum: expected an equation like "ij,jk->ik", got "${equation}": ${problem}`);
}

function parse(equation: string, tensors: readonly Tensor[]): { operands: string[][]; output: string[] } {
  const text = equation.replaceAll(" ", "");
  const [left, right, ...more] = text.split("->");
  if (more.length > 0) throw malformed(equation, "more than one arrow");
  const terms = left.split(",");
  if (tensors.length === 0 || terms.length !== tensors.length)
    throw malformed(equation, `${terms.length} operands for ${tensors.length} tensors`);
  // axes of an ellipsis are named from the right, so that they broadcast
  let ellipsisRank = 0;
  const operands = terms.map((term, index) => {
    const { before, after, ellipsis } = subscripts(equation, term);
    const { shape } = tensors[index];
    const rest = shape.length - before.length - after.length;
    if (rest < 0 || (rest > 0 && !ellipsis))
      throw new ShapeError(
        `einsum: expected ${before.length + after.length} axes${ellipsis ? " or more" : ""} for "${term}", got ${formatShape(shape)}`,
      );
    ellipsisRank = Math.max(ellipsisRank, rest);
    return [...before, ...ellipsisLabels(rest), ...after];
  });
  return {
    operands,
    output:
      right === undefined
        ? implicit(operands, ellipsisRank)
        : explicit(equation, right, operands, ellipsisRank),
  };
}

function subscripts(
  equation: string,
  term: string,
): { before: string[]; after: string[]; ellipsis: boolean } {
  const parts = term.split("...");
  if (parts.length > 2) throw malformed(equation, `more than one ellipsis in "${term}"`);
  if (parts.some((part) => !/^[a-zA-Z]*$/.test(part)))
    throw malformed(equation, `"${term}" has signs other than letters`);
  return { before: [...parts[0]], after: [...(parts[1] ?? "")], ellipsis: parts.length === 2 };
}

/** `["2", "1", "0"]`: the last axis is always 0. */
function ellipsisLabels(rank: number): string[] {
  return Array.from({ length: rank }, (_, index) => String(rank - 1 - index));
}

function implicit(operands: readonly string[][], ellipsisRank: number): string[] {
  const letters = operands.flat().filter((label) => /[a-zA-Z]/.test(label));
  const once = letters.filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter));
  return [...ellipsisLabels(ellipsisRank), ...once.sort()];
}

function explicit(
  equation: string,
  right: string,
  operands: readonly string[][],
  ellipsisRank: number,
): string[] {
  const { before, after, ellipsis } = subscripts(equation, right);
  const letters = [...before, ...after];
  const known = new Set(operands.flat());
  const unknown = letters.find((letter) => !known.has(letter));
  if (unknown !== undefined) throw malformed(equation, `"${unknown}" of the result is in no operand`);
  if (new Set(letters).size !== letters.length) throw malformed(equation, "a letter twice in the result");
  return [...before, ...(ellipsis ? ellipsisLabels(ellipsisRank) : []), ...after];
}

/** The size of each name: equal everywhere, or 1 where it broadcasts. */
function measure(
  equation: string,
  operands: readonly string[][],
  tensors: readonly Tensor[],
): Map<string, number> {
  const sizes = new Map<string, number>();
  operands.forEach((labels, index) => {
    labels.forEach((label, axis) => {
      const size = tensors[index].shape[axis];
      const known = sizes.get(label) ?? 1;
      if (known !== 1 && size !== 1 && known !== size)
        throw new ShapeError(
          `einsum: expected equal sizes for "${label}" in "${equation}", got ${known} and ${size}`,
        );
      if (known === 1) sizes.set(label, size);
    });
  });
  return sizes;
}

/** Takes the diagonal of every name that occurs twice. */
function diagonals({ tensor, labels }: Labelled): Labelled {
  const repeated = labels.findIndex((label, axis) => labels.indexOf(label) !== axis);
  if (repeated < 0) return { tensor, labels };
  const first = labels.indexOf(labels[repeated]);
  const size = tensor.shape[first];
  if (size !== tensor.shape[repeated])
    throw new ShapeError(
      `einsum: expected a square for "${labels[repeated]}" twice, got ${formatShape(tensor.shape)}`,
    );
  const others = labels.map((_, axis) => axis).filter((axis) => axis !== first && axis !== repeated);
  const shape = others.map((axis) => tensor.shape[axis]);
  const rows = reshape(transpose(tensor, [...others, first, repeated]), [sizeOf(shape), size * size]); // [rows, size²]
  return diagonals({
    tensor: reshape(squareDiagonal(rows, size), [...shape, size]),
    labels: [...others.map((axis) => labels[axis]), labels[first]],
  });
}

/** Every (size + 1)-th element, exactly. @param rows `[rows, size²]` @returns `[rows, size]` */
function squareDiagonal(rows: Tensor, size: number): Tensor {
  if (size <= 1) return rows;
  const [most, last] = split(rows, [size * size - 1, 1], { axis: 1 });
  const shifted = reshape(most, [rows.shape[0], size - 1, size + 1]);
  const [first] = split(shifted, [1, size], { axis: 2 }); // [rows, size − 1, 1]
  return concat([reshape(first, [rows.shape[0], size - 1]), last], { axis: 1 });
}

/** Forgets axes of size 1 whose name is longer elsewhere: multiplication broadcasts them. */
function dropBroadcast({ tensor, labels }: Labelled, sizes: Map<string, number>): Labelled {
  const kept = labels.map((_, axis) => axis).filter((axis) => tensor.shape[axis] === sizes.get(labels[axis]));
  if (kept.length === labels.length) return { tensor, labels };
  return {
    tensor: reshape(
      tensor,
      kept.map((axis) => tensor.shape[axis]),
    ),
    labels: kept.map((axis) => labels[axis]),
  };
}

/** Sums over the names that nobody needs. */
function sumOut({ tensor, labels }: Labelled, needed: ReadonlySet<string>): Labelled {
  const axes = labels.flatMap((label, axis) => (needed.has(label) ? [] : [axis]));
  if (axes.length === 0) return { tensor, labels };
  return { tensor: sum(tensor, { axes }), labels: labels.filter((label) => needed.has(label)) };
}

/** Multiplies two operands and sums over the names that neither the result nor a later operand needs. */
function contract(a: Labelled, b: Labelled, later: ReadonlySet<string>): Labelled {
  const left = sumOut(a, new Set([...later, ...b.labels]));
  const right = sumOut(b, new Set([...later, ...a.labels]));
  const shared = left.labels.filter((label) => right.labels.includes(label));
  const batch = shared.filter((label) => later.has(label));
  const inner = shared.filter((label) => !later.has(label));
  const freeLeft = left.labels.filter((label) => !shared.includes(label));
  const freeRight = right.labels.filter((label) => !shared.includes(label));
  const labels = [...batch, ...freeLeft, ...freeRight];
  const size = (names: readonly string[], { tensor, labels: own }: Labelled): number[] =>
    names.map((label) => tensor.shape[own.indexOf(label)]);
  const batchShape = size(batch, left);
  const shape = [...batchShape, ...size(freeLeft, left), ...size(freeRight, right)];
  const count = sizeOf(batchShape);
  const rows = sizeOf(size(freeLeft, left));
  const columns = sizeOf(size(freeRight, right));
  const orderedLeft = transposeTo(left, [...batch, ...freeLeft, ...inner]);
  const orderedRight = transposeTo(right, [...batch, ...freeRight, ...inner]);
  if (inner.length === 0) {
    const product = mul(reshape(orderedLeft, [count, rows, 1]), reshape(orderedRight, [count, 1, columns]));
    return { tensor: reshape(product, shape), labels };
  }
  const length = sizeOf(size(inner, left));
  const matrices = batch.length === 0 ? [] : [count];
  const product = matMul(
    reshape(orderedLeft, [...matrices, rows, length]),
    reshape(orderedRight, [...matrices, columns, length]),
    { transposeB: true },
  );
  return { tensor: reshape(product, shape), labels };
}

function transposeTo({ tensor, labels }: Labelled, order: readonly string[]): Tensor {
  const permutation = order.map((label) => labels.indexOf(label));
  return permutation.every((axis, index) => axis === index) ? tensor : transpose(tensor, permutation);
}

/** Puts the axes in the order of the result; a name that broadcast from nothing but 1s has that size. */
function arrange(result: Labelled, output: readonly string[]): Tensor {
  return alias(transposeTo(result, output));
}
