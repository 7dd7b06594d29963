// Loads and stores of the one to three floats that are left at the end of a row.

// @ts-ignore: decorator
@inline
export function loadPart(p: usize, left: i32): v128 {
  return left >= 4 ? v128.load(p) : loadFew(p, left);
}

function loadFew(p: usize, left: i32): v128 {
  let value = v128.load_zero<f32>(p);
  if (left > 1) value = f32x4.replace_lane(value, 1, load<f32>(p, 4));
  if (left > 2) value = f32x4.replace_lane(value, 2, load<f32>(p, 8));
  return value;
}

// @ts-ignore: decorator
@inline
export function storePart(p: usize, value: v128, left: i32): void {
  if (left >= 4) v128.store(p, value);
  else storeFew(p, value, left);
}

function storeFew(p: usize, value: v128, left: i32): void {
  store<f32>(p, f32x4.extract_lane(value, 0));
  if (left > 1) store<f32>(p, f32x4.extract_lane(value, 1), 4);
  if (left > 2) store<f32>(p, f32x4.extract_lane(value, 2), 8);
}
