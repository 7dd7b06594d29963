/** Threads of a workgroup that share a row. */
export const LANES = 64;

/** WGSL `sumOverLanes(value, lane)`: the sum of the workgroup's values, the same in every thread. */
export const SUM_OVER_LANES_WGSL = `
var<workgroup> laneSums: array<f32, ${LANES}>;
fn sumOverLanes(value: f32, lane: u32) -> f32 {
  laneSums[lane] = value;
  workgroupBarrier();
  for (var half = ${LANES / 2}u; half > 0u; half >>= 1u) {
    if (lane < half) { laneSums[lane] += laneSums[lane + half]; }
    workgroupBarrier();
  }
  let total = laneSums[0];
  workgroupBarrier();
  return total;
}`;

/** WGSL `largestOverLanes(value, lane)`, NaN if one is; needs `maxOf` of `wgslFunctions`. */
export const LARGEST_OVER_LANES_WGSL = `
var<workgroup> laneLargest: array<f32, ${LANES}>;
fn largestOverLanes(value: f32, lane: u32) -> f32 {
  laneLargest[lane] = value;
  workgroupBarrier();
  for (var half = ${LANES / 2}u; half > 0u; half >>= 1u) {
    if (lane < half) { laneLargest[lane] = maxOf(laneLargest[lane], laneLargest[lane + half]); }
    workgroupBarrier();
  }
  let largest = laneLargest[0];
  workgroupBarrier();
  return largest;
}`;

/** A loop of WGSL over the places of a row, shared by the workgroup's threads. */
export function eachPlace(statements: string): string {
  return `for (var place = lane; place < uniforms.dim; place += ${LANES}u) { ${statements} }`;
}
