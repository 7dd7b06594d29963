// Products that read A where it lies. Fused multiply-adds keep the processor's two multipliers busy for longer than four
// row pointers cost, so that a product of little depth does better without packing A; rounding twice it does not.
import { multiplyAdd } from "./micro-kernel";

/** `c[4][8] = a[4][depth] · b[depth][8]`, A by rows; the sums are those of `multiplyTile` bit for bit. */
function multiplyRowsTile(depth: i32, a: usize, strideA: usize, b: usize, c: usize, strideC: usize): void {
  let a1 = a + strideA,
    a2 = a1 + strideA,
    a3 = a2 + strideA;
  let c00 = f32x4.splat(0),
    c01 = c00,
    c10 = c00,
    c11 = c00,
    c20 = c00,
    c21 = c00,
    c30 = c00,
    c31 = c00;
  while (true) {
    let b0 = v128.load(b),
      b1 = v128.load(b, 16);
    let x = v128.load_splat<f32>(a);
    c00 = multiplyAdd(c00, x, b0);
    c01 = multiplyAdd(c01, x, b1);
    x = v128.load_splat<f32>(a1);
    c10 = multiplyAdd(c10, x, b0);
    c11 = multiplyAdd(c11, x, b1);
    x = v128.load_splat<f32>(a2);
    c20 = multiplyAdd(c20, x, b0);
    c21 = multiplyAdd(c21, x, b1);
    x = v128.load_splat<f32>(a3);
    c30 = multiplyAdd(c30, x, b0);
    c31 = multiplyAdd(c31, x, b1);
    if (!--depth) break;
    b0 = v128.load(b, 32);
    b1 = v128.load(b, 48);
    x = v128.load_splat<f32>(a, 4);
    c00 = multiplyAdd(c00, x, b0);
    c01 = multiplyAdd(c01, x, b1);
    x = v128.load_splat<f32>(a1, 4);
    c10 = multiplyAdd(c10, x, b0);
    c11 = multiplyAdd(c11, x, b1);
    x = v128.load_splat<f32>(a2, 4);
    c20 = multiplyAdd(c20, x, b0);
    c21 = multiplyAdd(c21, x, b1);
    x = v128.load_splat<f32>(a3, 4);
    c30 = multiplyAdd(c30, x, b0);
    c31 = multiplyAdd(c31, x, b1);
    a += 8;
    a1 += 8;
    a2 += 8;
    a3 += 8;
    b += 64;
    if (!--depth) break;
  }
  const row1 = c + strideC,
    row2 = row1 + strideC,
    row3 = row2 + strideC;
  v128.store(c, c00);
  v128.store(c, c01, 16);
  v128.store(row1, c10);
  v128.store(row1, c11, 16);
  v128.store(row2, c20);
  v128.store(row2, c21, 16);
  v128.store(row3, c30);
  v128.store(row3, c31, 16);
}

/**
 * `C[rows, columns] = A[rows, depth] · B` from B packed in panels of this depth.
 * @param rows A multiple of four. @param columns A multiple of eight. @param strideA and @param strideC in bytes.
 */
export function multiplyRows(
  a: usize,
  strideA: usize,
  rows: i32,
  b: usize,
  depth: i32,
  columns: i32,
  c: usize,
  strideC: usize,
): void {
  const panelBytes = <usize>depth << 5;
  for (let row = 0; row < rows; row += 4) {
    let panel = b,
      target = c;
    for (let column = 0; column < columns; column += 8) {
      // the only call: in line, a tile of little depth takes a tenth less
      multiplyRowsTile(depth, a, strideA, panel, target, strideC);
      panel += panelBytes;
      target += 32;
    }
    a += 4 * strideA;
    c += 4 * strideC;
  }
}
