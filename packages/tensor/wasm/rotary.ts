// Rotary positions: pairs of channels turned by the angles of their row.
import { advance, movedA, seek } from "./strided";
import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Channels `i` and `half + i` of one row are a pair. */
function turnHalves(x: usize, cosine: usize, sine: usize, output: usize, half: i32): void {
  const second = <usize>half << 2,
    wide = <usize>(half & ~3) << 2,
    end = second;
  let f: usize = 0;
  for (; f < wide; f += 16) {
    const a = v128.load(x + f),
      b = v128.load(x + second + f),
      c = v128.load(cosine + f),
      s = v128.load(sine + f);
    v128.store(output + f, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)));
    v128.store(output + second + f, f32x4.add(f32x4.mul(b, c), f32x4.mul(a, s)));
  }
  for (; f < end; f += 4) {
    const a = load<f32>(x + f),
      b = load<f32>(x + second + f),
      c = load<f32>(cosine + f),
      s = load<f32>(sine + f);
    store<f32>(output + f, a * c - b * s);
    store<f32>(output + second + f, b * c + a * s);
  }
}

/** Channels `2i` and `2i + 1` of one row are a pair. */
function turnNeighbours(x: usize, cosine: usize, sine: usize, output: usize, half: i32): void {
  const signs = f32x4(-1, 1, -1, 1);
  let i = 0;
  for (; i + 2 <= half; i += 2) {
    const f = <usize>i << 2,
      pairs = v128.load(x + (f << 1)),
      c = v128.load_zero<u64>(cosine + f),
      s = v128.load_zero<u64>(sine + f);
    const turned = f32x4.mul(v128.shuffle<i32>(pairs, pairs, 1, 0, 3, 2), f32x4.mul(v128.shuffle<i32>(s, s, 0, 0, 1, 1), signs));
    v128.store(output + (f << 1), f32x4.add(f32x4.mul(pairs, v128.shuffle<i32>(c, c, 0, 0, 1, 1)), turned));
  }
  if (i == half) return;
  const f = <usize>i << 2,
    a = load<f32>(x + (f << 1)),
    b = load<f32>(x + (f << 1), 4),
    c = load<f32>(cosine + f),
    s = load<f32>(sine + f);
  store<f32>(output + (f << 1), a * c - b * s);
  store<f32>(output + (f << 1), b * c + a * s, 4);
}

function rowsPart(from: i32, to: i32): void {
  const dim = argument(4),
    half = argument(5),
    axes = argument(7),
    row = <usize>dim << 2,
    turned = <usize>half << 3;
  let x = addressArgument(0) + <usize>from * row,
    output = addressArgument(3) + <usize>from * row;
  seek(axes, from);
  let place = movedA();
  for (; from < to; from++) {
    const table = <usize>(place * half) << 2,
      cosine = addressArgument(1) + table,
      sine = addressArgument(2) + table;
    if (argument(6)) turnNeighbours(x, cosine, sine, output, half);
    else turnHalves(x, cosine, sine, output, half);
    if (turned < row) memory.copy(output + turned, x + turned, row - turned);
    x += row;
    output += row;
    advance(axes);
    place += movedA();
  }
}

/**
 * Turns the first `2 · half` channels of `[rows, dim]`: `(a·cos − b·sin, b·cos + a·sin)`. The rows are walked along `axes`
 * axes set by `setAxis`, whose first strides tell the row of the tables.
 */
export function rotaryEmbedding(
  x: usize,
  cosine: usize,
  sine: usize,
  output: usize,
  rows: i32,
  dim: i32,
  half: i32,
  interleaved: i32,
  axes: i32,
): void {
  setArgument(0, x);
  setArgument(1, cosine);
  setArgument(2, sine);
  setArgument(3, output);
  setArgument(4, dim);
  setArgument(5, half);
  setArgument(6, interleaved);
  setArgument(7, axes);
  forRange(rowsPart, rows, 1, 4 + 0.5 * <f32>dim);
}
