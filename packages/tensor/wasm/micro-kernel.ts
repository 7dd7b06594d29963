/** Flags of what happens to a tile before it is stored. */
export const ACCUMULATE: i32 = 1;
export const ADD_BIAS: i32 = 2;
export const RELU: i32 = 4;
export const RELU6: i32 = 8;

/** `sum + a · b`: fused where the binary may use relaxed SIMD, else rounded twice. */
// @ts-ignore: decorator
@inline
export function multiplyAdd(sum: v128, a: v128, b: v128): v128 {
  // @ts-ignore: RELAXED is a compile-time constant of one of the two binaries
  if (isDefined(RELAXED)) return f32x4.relaxed_madd(a, b, sum);
  return f32x4.add(sum, f32x4.mul(a, b));
}

// V8 has 15 usable vector registers: 8 sums + 2 columns + 4 broadcasts + 1 temporary. Up to V8 12 its scheduler hoists
// every load of a basic block to the block's top, so the exit test after each step is what keeps a second step's loads
// from spilling. Widening the tile or dropping the test costs a third of the speed.

/** `c[4][8] (+)= a[depth][4] · b[depth][8]`; `depth` ≥ 1, `strideC` in bytes. */
export function multiplyTile(depth: i32, a: usize, b: usize, c: usize, strideC: usize, mode: i32, bias: usize): void {
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
    x = v128.load_splat<f32>(a, 4);
    c10 = multiplyAdd(c10, x, b0);
    c11 = multiplyAdd(c11, x, b1);
    x = v128.load_splat<f32>(a, 8);
    c20 = multiplyAdd(c20, x, b0);
    c21 = multiplyAdd(c21, x, b1);
    x = v128.load_splat<f32>(a, 12);
    c30 = multiplyAdd(c30, x, b0);
    c31 = multiplyAdd(c31, x, b1);
    if (!--depth) break;
    b0 = v128.load(b, 32);
    b1 = v128.load(b, 48);
    x = v128.load_splat<f32>(a, 16);
    c00 = multiplyAdd(c00, x, b0);
    c01 = multiplyAdd(c01, x, b1);
    x = v128.load_splat<f32>(a, 20);
    c10 = multiplyAdd(c10, x, b0);
    c11 = multiplyAdd(c11, x, b1);
    x = v128.load_splat<f32>(a, 24);
    c20 = multiplyAdd(c20, x, b0);
    c21 = multiplyAdd(c21, x, b1);
    x = v128.load_splat<f32>(a, 28);
    c30 = multiplyAdd(c30, x, b0);
    c31 = multiplyAdd(c31, x, b1);
    a += 32;
    b += 64;
    if (!--depth) break;
  }
  const row1 = c + strideC,
    row2 = row1 + strideC,
    row3 = row2 + strideC;
  if (mode & ACCUMULATE) {
    c00 = f32x4.add(c00, v128.load(c));
    c01 = f32x4.add(c01, v128.load(c, 16));
    c10 = f32x4.add(c10, v128.load(row1));
    c11 = f32x4.add(c11, v128.load(row1, 16));
    c20 = f32x4.add(c20, v128.load(row2));
    c21 = f32x4.add(c21, v128.load(row2, 16));
    c30 = f32x4.add(c30, v128.load(row3));
    c31 = f32x4.add(c31, v128.load(row3, 16));
  }
  if (mode & ADD_BIAS) {
    const low = v128.load(bias),
      high = v128.load(bias, 16);
    c00 = f32x4.add(c00, low);
    c01 = f32x4.add(c01, high);
    c10 = f32x4.add(c10, low);
    c11 = f32x4.add(c11, high);
    c20 = f32x4.add(c20, low);
    c21 = f32x4.add(c21, high);
    c30 = f32x4.add(c30, low);
    c31 = f32x4.add(c31, high);
  }
  if (mode & (RELU | RELU6)) {
    c00 = activate(c00, mode);
    c01 = activate(c01, mode);
    c10 = activate(c10, mode);
    c11 = activate(c11, mode);
    c20 = activate(c20, mode);
    c21 = activate(c21, mode);
    c30 = activate(c30, mode);
    c31 = activate(c31, mode);
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  v128.store(row1, c10);
  v128.store(row1, c11, 16);
  v128.store(row2, c20);
  v128.store(row2, c21, 16);
  v128.store(row3, c30);
  v128.store(row3, c31, 16);
}

/** ReLU or ReLU6 by flag; the operand order of pmin and pmax keeps NaN. */
// @ts-ignore: decorator
@inline
export function activate(value: v128, mode: i32): v128 {
  let result = value;
  if (mode & (RELU | RELU6)) result = f32x4.pmax(result, f32x4.splat(0));
  if (mode & RELU6) result = f32x4.pmin(result, f32x4.splat(6));
  return result;
}

/** A tile at the edge of C: computed into `temporary` (128 bytes), then `rows × columns` of it are stored. */
export function multiplyEdgeTile(
  depth: i32,
  a: usize,
  b: usize,
  c: usize,
  strideC: usize,
  mode: i32,
  bias: usize,
  rows: i32,
  columns: i32,
  temporary: usize,
): void {
  multiplyTile(depth, a, b, temporary, 32, 0, 0);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const offset = <usize>column << 2;
      let value = v128.load_splat<f32>(temporary + (<usize>row << 5) + offset);
      if (mode & ACCUMULATE) value = f32x4.add(value, v128.load_splat<f32>(c + offset));
      if (mode & ADD_BIAS) value = f32x4.add(value, v128.load_splat<f32>(bias + offset));
      store<f32>(c + offset, f32x4.extract_lane(activate(value, mode), 0));
    }
    c += strideC;
  }
}
