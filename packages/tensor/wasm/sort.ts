import { scratch } from "./layout";
import { addressArgument, argument, forRange, setArgument, threadIndex } from "./threads";

// How elements are stored; src/backends/wasm/ops/sort.ts has the same.
const FLOATS: i32 = 0;
const INTEGERS: i32 = 1;

/** Wanted entries up to which a short ordered list beats sorting the whole line. */
const FEW: i32 = 64;
/** Lines up to this length are sorted by insertion. */
const SHORT: i32 = 32;
/** Counts of the four digits of all keys: 4 KiB at the start of the working memory. */
const COUNTS: i32 = 1024;
/** Entries of a line that the working memory has room for, twice. */
const ROOM: i32 = 15000;

/** A number that is ordered as the element is: NaN is the largest, −0 equals 0. */
// @ts-ignore: decorator
@inline
function keyAt(x: usize, index: i32, kind: i32): u32 {
  if (kind == FLOATS) {
    const value = load<f32>(x + (<usize>index << 2)),
      bits = reinterpret<u32>(value + 0); // −0 becomes 0
    if (value != value) return 0xffffffff;
    return bits & 0x80000000 ? ~bits : bits | 0x80000000;
  }
  return kind == INTEGERS ? load<u32>(x + (<usize>index << 2)) ^ 0x80000000 : <u32>load<u8>(x + <usize>index);
}

/** Orders the first few: entries of key and index, so that equal keys keep their order. */
function few(x: usize, length: i32, stride: i32, kind: i32, flip: u32, wanted: i32, list: usize): void {
  let size = 0,
    limit: u64 = 0;
  for (let i = 0; i < length; i++) {
    const entry = (<u64>(keyAt(x, i * stride, kind) ^ flip) << 32) | <u64>i;
    if (size == wanted && entry > limit) continue;
    let place = size < wanted ? size++ : wanted - 1;
    for (; place > 0; place--) {
      const before = load<u64>(list + (<usize>(place - 1) << 3));
      if (before < entry) break;
      store<u64>(list + (<usize>place << 3), before);
    }
    store<u64>(list + (<usize>place << 3), entry);
    limit = load<u64>(list + (<usize>(size - 1) << 3));
  }
}

function insertionSort(entries: usize, length: i32): void {
  for (let i = 1; i < length; i++) {
    const entry = load<u64>(entries + (<usize>i << 3));
    let place = i;
    for (; place > 0; place--) {
      const before = load<u64>(entries + (<usize>(place - 1) << 3));
      if (before < entry) break;
      store<u64>(entries + (<usize>place << 3), before);
    }
    store<u64>(entries + (<usize>place << 3), entry);
  }
}

/** Moves entries into the order of one digit of their keys; equal digits keep their order. */
function distribute(from: usize, to: usize, length: i32, counts: usize, shift: u64): void {
  const end = from + (<usize>length << 3);
  for (; from < end; from += 8) {
    const entry = load<u64>(from),
      count = counts + ((<usize>(entry >> shift) & 255) << 2),
      place = load<i32>(count);
    store<u64>(to + (<usize>place << 3), entry);
    store<i32>(count, place + 1);
  }
}

/** Sorts by the keys' four bytes, the lowest first. @returns where the sorted entries are: `entries` or `other` */
function radixSort(entries: usize, other: usize, length: i32, counts: usize): usize {
  memory.fill(counts, 0, COUNTS << 2);
  for (let i = 0; i < length; i++) {
    const key = load<u32>(entries + (<usize>i << 3), 4);
    for (let digit: u32 = 0; digit < 4; digit++) {
      const count = counts + (<usize>((digit << 8) + ((key >> (digit << 3)) & 255)) << 2);
      store<i32>(count, load<i32>(count) + 1);
    }
  }
  for (let digit = 0; digit < 4; digit++) {
    const own = counts + (<usize>digit << 10);
    let sum = 0,
      isOne = false;
    for (let value = 0; value < 256; value++) {
      const count = load<i32>(own + (<usize>value << 2));
      isOne = isOne || count == length;
      store<i32>(own + (<usize>value << 2), sum);
      sum += count;
    }
    if (isOne) continue;
    distribute(entries, other, length, own, 32 + (<u64>digit << 3));
    const sorted = other;
    other = entries;
    entries = sorted;
  }
  return entries;
}

function sortPart(from: i32, to: i32): void {
  const length = argument(2),
    inner = argument(3),
    count = argument(4),
    kind = argument(5),
    flip = argument(6) ? <u32>0xffffffff : <u32>0,
    workspace = addressArgument(7),
    size: usize = kind == FLOATS || kind == INTEGERS ? 4 : 1,
    counts = scratch(),
    entries = workspace ? workspace + <usize>threadIndex() * (<usize>length << 4) : counts + (COUNTS << 2),
    other = entries + (<usize>length << 3);
  for (let line = from; line < to; line++) {
    const block = line / inner,
      column = line - block * inner,
      x = addressArgument(0) + <usize>(block * length * inner + column) * size;
    let sorted = entries;
    if (count < length && count <= FEW) few(x, length, inner, kind, flip, count, entries);
    else {
      for (let i = 0; i < length; i++)
        store<u64>(entries + (<usize>i << 3), (<u64>(keyAt(x, i * inner, kind) ^ flip) << 32) | <u64>i);
      if (length <= SHORT) insertionSort(entries, length);
      else sorted = radixSort(entries, other, length, counts);
    }
    const output = addressArgument(1) + (<usize>(block * count * inner + column) << 2);
    for (let i = 0; i < count; i++)
      store<i32>(output + (<usize>(i * inner) << 2), load<i32>(sorted + (<usize>i << 3)));
  }
}

/** Bytes that {@link argSort} needs a thread besides its working memory. */
export function sortBytes(length: i32): i32 {
  return length > ROOM ? length << 4 : 0;
}

/**
 * Where the first `count` entries in order of each line of `[outer, length, inner]` come from: int32 `[outer, count, inner]`.
 * Equal entries keep their order; NaN counts as largest. `kind` says how elements are stored: floats, int32, bytes.
 */
export function argSort(
  x: usize,
  output: usize,
  outer: i32,
  length: i32,
  inner: i32,
  count: i32,
  kind: i32,
  descending: i32,
  workspace: usize,
): void {
  setArgument(0, x);
  setArgument(1, output);
  setArgument(2, length);
  setArgument(3, inner);
  setArgument(4, count);
  setArgument(5, kind);
  setArgument(6, descending);
  setArgument(7, workspace);
  const each: f32 = count < length && count <= FEW ? 2 : 15;
  forRange(sortPart, outer * inner, 1, 20 + <f32>length * each);
}
