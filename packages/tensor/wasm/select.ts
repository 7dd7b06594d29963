import {
  advance,
  axisLength,
  movedA,
  movedB,
  movedC,
  seek,
  strideA,
  strideB,
  strideC,
  walkLength,
} from "./strided";
import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Time of an element on one thread, roughly. */
const NANOSECONDS: f32 = 0.5;

function selectPart(from: i32, to: i32): void {
  const last = argument(4) - 1,
    count = axisLength(last),
    moveCondition = strideA(last),
    moveA = strideB(last),
    moveB = strideC(last);
  let condition = addressArgument(0),
    a = addressArgument(1),
    b = addressArgument(2),
    output = addressArgument(3) + (<usize>from << 2),
    start = from % count;
  seek(last, from / count);
  while (true) {
    condition += <usize>movedA();
    a += <usize>(movedB() << 2);
    b += <usize>(movedC() << 2);
    const length = min(count - start, to - from);
    selectRun(
      condition + <usize>(start * moveCondition),
      a + (<usize>(start * moveA) << 2),
      b + (<usize>(start * moveB) << 2),
      output,
      length,
      moveCondition,
      moveA,
      moveB,
    );
    from += length;
    if (from >= to) return;
    output += <usize>length << 2;
    start = 0;
    advance(last);
  }
}

/** `output = condition ? a : b` over `axes` axes on 4-byte elements; the condition is bytes. */
export function select(condition: usize, a: usize, b: usize, output: usize, axes: i32): void {
  setArgument(0, condition);
  setArgument(1, a);
  setArgument(2, b);
  setArgument(3, output);
  setArgument(4, axes);
  forRange(selectPart, walkLength(axes), 64, NANOSECONDS);
}

function selectRun(
  condition: usize,
  a: usize,
  b: usize,
  output: usize,
  count: i32,
  moveCondition: i32,
  moveA: i32,
  moveB: i32,
): void {
  if (moveCondition == 0) {
    const chosen = load<u8>(condition) ? a : b,
      move = load<u8>(condition) ? moveA : moveB;
    for (let i = 0; i < count; i++) store<i32>(output + (<usize>i << 2), load<i32>(chosen + (<usize>(i * move) << 2)));
    return;
  }
  const oneA = v128.load_splat<i32>(a),
    oneB = v128.load_splat<i32>(b);
  let f: usize = 0,
    i: usize = 0;
  for (; i + 4 <= <usize>count; i += 4) {
    const bytes = i32x4.splat(load<i32>(condition + i));
    const wide = v128.shuffle<i8>(bytes, i32x4.splat(0), 0, 16, 16, 16, 1, 16, 16, 16, 2, 16, 16, 16, 3, 16, 16, 16);
    const mask = i32x4.ne(wide, i32x4.splat(0));
    v128.store(output + f, v128.bitselect(moveA ? v128.load(a + f) : oneA, moveB ? v128.load(b + f) : oneB, mask));
    f += 16;
  }
  for (; i < <usize>count; i++) {
    store<i32>(
      output + f,
      load<u8>(condition + i) ? load<i32>(moveA ? a + f : a) : load<i32>(moveB ? b + f : b),
    );
    f += 4;
  }
}
