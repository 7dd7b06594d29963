import { ZEROS } from "./layout";

/** Transposes the 4×4 block in four rows to `output`, `output + stride`, … */
// @ts-ignore: decorator
@inline
export function transposeBlock(p0: usize, p1: usize, p2: usize, p3: usize, output: usize, stride: usize): void {
  const r0 = v128.load(p0),
    r1 = v128.load(p1),
    r2 = v128.load(p2),
    r3 = v128.load(p3);
  const low01 = v128.shuffle<i32>(r0, r1, 0, 4, 1, 5),
    low23 = v128.shuffle<i32>(r2, r3, 0, 4, 1, 5);
  const high01 = v128.shuffle<i32>(r0, r1, 2, 6, 3, 7),
    high23 = v128.shuffle<i32>(r2, r3, 2, 6, 3, 7);
  v128.store(output, v128.shuffle<i64>(low01, low23, 0, 2));
  v128.store(output + stride, v128.shuffle<i64>(low01, low23, 1, 3));
  v128.store(output + 2 * stride, v128.shuffle<i64>(high01, high23, 0, 2));
  v128.store(output + 3 * stride, v128.shuffle<i64>(high01, high23, 1, 3));
}

/** Interleaves four contiguous rows: `output[count][4]`. */
export function interleaveRows(p0: usize, p1: usize, p2: usize, p3: usize, count: i32, output: usize): void {
  while (count >= 4) {
    transposeBlock(p0, p1, p2, p3, output, 16);
    p0 += 16;
    p1 += 16;
    p2 += 16;
    p3 += 16;
    output += 64;
    count -= 4;
  }
  while (count > 0) {
    store<f32>(output, load<f32>(p0));
    store<f32>(output, load<f32>(p1), 4);
    store<f32>(output, load<f32>(p2), 8);
    store<f32>(output, load<f32>(p3), 12);
    p0 += 4;
    p1 += 4;
    p2 += 4;
    p3 += 4;
    output += 16;
    count--;
  }
}

/** Packs `rows × depth` of a matrix, from (row, step), into panels of four rows `[depth][4]`; missing rows are zeros. */
export function packMatrixA(
  a: usize,
  stride: usize,
  transposed: i32,
  row: i32,
  rows: i32,
  step: i32,
  depth: i32,
  output: usize,
): void {
  const panelBytes = <usize>depth << 4;
  if (transposed) {
    let source = a + <usize>step * stride + (<usize>row << 2);
    let i = 0;
    for (; i + 16 <= rows; i += 16) {
      packSixteenColumns(source, stride, depth, output, panelBytes);
      source += 64;
      output += panelBytes << 2;
    }
    for (; i < rows; i += 4) {
      packColumns(source, stride, depth, min(4, rows - i), output);
      source += 16;
      output += panelBytes;
    }
    return;
  }
  let source = a + <usize>row * stride + (<usize>step << 2);
  for (let i = 0; i < rows; i += 4) {
    const left = rows - i;
    interleaveRows(
      source,
      left > 1 ? source + stride : ZEROS,
      left > 2 ? source + 2 * stride : ZEROS,
      left > 3 ? source + 3 * stride : ZEROS,
      depth,
      output,
    );
    source += 4 * stride;
    output += panelBytes;
  }
}

/** Copies four strips of four columns at once: a cache line of the source is read once. */
function packSixteenColumns(source: usize, stride: usize, depth: i32, output: usize, panelBytes: usize): void {
  const o1 = output + panelBytes,
    o2 = o1 + panelBytes,
    o3 = o2 + panelBytes;
  let f: usize = 0;
  for (let k = 0; k < depth; k++) {
    v128.store(output + f, v128.load(source));
    v128.store(o1 + f, v128.load(source, 16));
    v128.store(o2 + f, v128.load(source, 32));
    v128.store(o3 + f, v128.load(source, 48));
    source += stride;
    f += 16;
  }
}

/** Copies a strip of `width` ≤ 4 columns to `output[depth][4]`. */
function packColumns(source: usize, stride: usize, depth: i32, width: i32, output: usize): void {
  if (width == 4) {
    for (let k = 0; k < depth; k++) {
      v128.store(output, v128.load(source));
      source += stride;
      output += 16;
    }
    return;
  }
  for (let k = 0; k < depth; k++) {
    v128.store(output, f32x4.splat(0));
    for (let j = 0; j < width; j++) store<f32>(output + (<usize>j << 2), load<f32>(source + (<usize>j << 2)));
    source += stride;
    output += 16;
  }
}

/** Packs `depth` steps of B, from `step`, for panels `[first, last)` of eight columns: `[panel][depth][8]`. */
export function packMatrixB(
  b: usize,
  stride: usize,
  transposed: i32,
  columns: i32,
  step: i32,
  depth: i32,
  first: i32,
  last: i32,
  output: usize,
): void {
  const panelBytes = <usize>depth << 5;
  let panel = first;
  if (!transposed)
    for (; panel + 2 <= last && (panel << 3) + 16 <= columns; panel += 2) {
      packTwoPanels(b + <usize>step * stride + (<usize>panel << 5), stride, depth, output, panelBytes);
      output += panelBytes << 1;
    }
  for (; panel < last; panel++) {
    const column = panel << 3,
      width = min(8, columns - column);
    if (transposed) {
      const source = b + <usize>column * stride + (<usize>step << 2);
      if (width == 8) packEightRows(source, stride, depth, output);
      else packEdge(source, 4, stride, depth, width, output);
    } else {
      const source = b + <usize>step * stride + (<usize>column << 2);
      if (width == 8) packEightColumns(source, stride, depth, output);
      else packEdge(source, stride, 4, depth, width, output);
    }
    output += panelBytes;
  }
}

/** Two panels at once: a cache line of the source is read once. */
function packTwoPanels(source: usize, stride: usize, depth: i32, output: usize, panelBytes: usize): void {
  let second = output + panelBytes;
  for (let k = 0; k < depth; k++) {
    v128.store(output, v128.load(source));
    v128.store(output, v128.load(source, 16), 16);
    v128.store(second, v128.load(source, 32));
    v128.store(second, v128.load(source, 48), 16);
    source += stride;
    output += 32;
    second += 32;
  }
}

function packEightColumns(source: usize, stride: usize, depth: i32, output: usize): void {
  for (let k = 0; k < depth; k++) {
    v128.store(output, v128.load(source));
    v128.store(output, v128.load(source, 16), 16);
    source += stride;
    output += 32;
  }
}

function packEightRows(source: usize, stride: usize, depth: i32, output: usize): void {
  const s1 = source + stride,
    s2 = s1 + stride,
    s3 = s2 + stride,
    s4 = s3 + stride,
    s5 = s4 + stride,
    s6 = s5 + stride,
    s7 = s6 + stride;
  let k = 0,
    f: usize = 0;
  for (; k + 4 <= depth; k += 4) {
    transposeBlock(source + f, s1 + f, s2 + f, s3 + f, output, 32);
    transposeBlock(s4 + f, s5 + f, s6 + f, s7 + f, output + 16, 32);
    f += 16;
    output += 128;
  }
  for (; k < depth; k++) {
    store<f32>(output, load<f32>(source + f));
    store<f32>(output, load<f32>(s1 + f), 4);
    store<f32>(output, load<f32>(s2 + f), 8);
    store<f32>(output, load<f32>(s3 + f), 12);
    store<f32>(output, load<f32>(s4 + f), 16);
    store<f32>(output, load<f32>(s5 + f), 20);
    store<f32>(output, load<f32>(s6 + f), 24);
    store<f32>(output, load<f32>(s7 + f), 28);
    f += 4;
    output += 32;
  }
}

/** A panel with fewer than eight columns, the rest zeros. */
function packEdge(source: usize, stepStride: usize, columnStride: usize, depth: i32, width: i32, output: usize): void {
  for (let k = 0; k < depth; k++) {
    v128.store(output, f32x4.splat(0));
    v128.store(output, f32x4.splat(0), 16);
    let p = source;
    for (let j = 0; j < width; j++) {
      store<f32>(output + (<usize>j << 2), load<f32>(p));
      p += columnStride;
    }
    source += stepStride;
    output += 32;
  }
}
