import type { TypedArray } from "../../dtype.js";
import type { KernelCall } from "../../kernels/define-kernel.js";
import type { ArgSortAttributes } from "../../ops/sort.js";
import { hostResult, valuesOf } from "./values.js";

/** Below this many wanted entries, insertion into a short list beats sorting the whole row. */
const FEW = 64;

/** `ai/ArgSort` on the host: for each line of `[outer, length, inner]`, where its first `count` entries in order come from. */
export function argSortOnHost({ inputs, attrs, backend }: KernelCall<ArgSortAttributes>) {
  const [outer, length, inner] = inputs.x.shape;
  const { count, descending } = attrs;
  const from = valuesOf(backend, inputs.x);
  const values = new Int32Array(outer * count * inner);
  const line = new Float64Array(length);
  for (let block = 0; block < outer; block++)
    for (let column = 0; column < inner; column++) {
      for (let i = 0; i < length; i++) line[i] = from[(block * length + i) * inner + column];
      const order = count < length && count <= FEW ? best(line, count, descending) : sorted(line, descending);
      for (let i = 0; i < count; i++) values[(block * count + i) * inner + column] = order[i];
    }
  return hostResult(backend, [outer, count, inner], "int32", values);
}

/** Whether entry `a` stands before a later entry `b`: NaN counts as largest, equals keep their order. */
function before(a: number, b: number, descending: boolean): boolean {
  if (Number.isNaN(a)) return descending || Number.isNaN(b);
  if (Number.isNaN(b)) return !descending;
  return descending ? a >= b : a <= b;
}

function sorted(line: Float64Array, descending: boolean): Int32Array {
  const order = Int32Array.from(line, (_, index) => index);
  return order.sort((i, j) => {
    const first = Math.min(i, j);
    const second = Math.max(i, j);
    const forward = before(line[first], line[second], descending);
    return forward === (first === i) ? -1 : 1;
  });
}

function best(line: Float64Array, count: number, descending: boolean): TypedArray {
  const order = new Int32Array(count);
  let size = 0;
  for (let index = 0; index < line.length; index++) {
    if (size === count && (count === 0 || before(line[order[count - 1]], line[index], descending))) continue;
    let place = size < count ? size++ : count - 1;
    for (; place > 0 && !before(line[order[place - 1]], line[index], descending); place--)
      order[place] = order[place - 1];
    order[place] = index;
  }
  return order;
}
