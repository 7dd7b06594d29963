import { COLUMNS, DEPTH_BLOCK, GROUPS, GROUP_PANELS, ROWS, ROW_BLOCK, divideUp, setWord, word } from "./layout";

/** Floats of a block of B that stays in the second-level cache (256 KB) beside a block of A. */
export const BLOCK_B_LIMIT: i32 = 65536;
/** Rows of a block: a packed block of A (120 KB) stays in the second-level cache. */
export const ROW_LIMIT: i32 = 96;
/** Floating-point operations of a product a nanosecond: an estimate for sharing work. */
const OPERATIONS: f32 = 30;

/** Time of the product that is set, on one thread. */
export function nanoseconds(rows: i32, depth: i32): f32 {
  return (2 * <f32>rows * <f32>word(COLUMNS) * <f32>depth) / OPERATIONS;
}

/**
 * Cuts the product into tasks, blocks of rows times groups of columns, so that `useful` threads end together. It weighs
 * what a cut costs: A is packed once a group, and a panel of B that left the second-level cache is fetched once a block.
 * @returns the number of tasks; what they compute is the same for any cut.
 */
export function plan(useful: i32): i32 {
  const rows = word(ROWS),
    panels = divideUp(word(COLUMNS), 8),
    depth = word(DEPTH_BLOCK);
  const all = min(ROW_LIMIT, (rows + 3) & ~3);
  setWord(ROW_BLOCK, all);
  setWord(GROUP_PANELS, panels);
  setWord(GROUPS, 1);
  let best: f32 = Infinity,
    tasks = divideUp(rows, all);
  if (useful == 1) return tasks;
  for (let divisor = 1; divisor <= 12; divisor++) {
    const block = (divideUp(all, divisor) + 3) & ~3;
    if (divisor > 1 && block < 8) break;
    for (let groups = 1; groups <= 16; groups++) {
      const groupPanels = divideUp(panels, groups);
      if (groups > 1 && groupPanels < 4) break;
      const columns = groupPanels << 3,
        count = divideUp(rows, block) * divideUp(panels, groupPanels);
      let cost: f32 = 1 + 12 / <f32>columns;
      if (depth * columns > BLOCK_B_LIMIT) cost += 3.2 / <f32>block;
      // threads end together when they get the same number of tasks, and the more tasks, the less one late thread costs
      cost *= (<f32>(divideUp(count, useful) * useful) / <f32>count) * (1 + (0.1 * <f32>useful) / <f32>count);
      if (cost < best) {
        best = cost;
        tasks = count;
        setWord(ROW_BLOCK, block);
        setWord(GROUP_PANELS, groupPanels);
        setWord(GROUPS, divideUp(panels, groupPanels));
      }
    }
  }
  return tasks;
}
