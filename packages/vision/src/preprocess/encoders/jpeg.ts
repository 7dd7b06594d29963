import type { Picture } from "../picture.js";
import { AC_TABLES, CHROMINANCE, DC_TABLES, type HuffmanTable, LUMINANCE, ZIGZAG } from "./jpeg-tables.js";

/** Bytes that grow, and bits that go into them. */
class BitWriter {
  #bytes = new Uint8Array(65536);
  #length = 0;
  #held = 0;
  #heldBits = 0;

  byte(value: number): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length++] = value;
  }

  segment(marker: number, content: readonly number[]): void {
    for (const value of [0xff, marker, (content.length + 2) >> 8, (content.length + 2) & 255, ...content])
      this.byte(value);
  }

  /** The lowest `count` bits of a value; a byte of ones is followed by a zero byte. */
  bits(value: number, count: number): void {
    for (let bit = count - 1; bit >= 0; bit--) {
      this.#held = (this.#held << 1) | ((value >> bit) & 1);
      if (++this.#heldBits < 8) continue;
      this.byte(this.#held);
      if (this.#held === 0xff) this.byte(0);
      this.#held = 0;
      this.#heldBits = 0;
    }
  }

  /** Fills the last byte with ones. @returns everything that was written. */
  finish(): Uint8Array<ArrayBuffer> {
    if (this.#heldBits > 0) this.bits(0xff, 8 - this.#heldBits);
    this.byte(0xff);
    this.byte(0xd9);
    return this.#bytes.slice(0, this.#length);
  }
}

/** Code and length of each symbol. */
type Codes = readonly (readonly [code: number, length: number])[];

function codesOf({ counts, symbols }: HuffmanTable): Codes {
  const codes: [number, number][] = [];
  let code = 0;
  let next = 0;
  counts.forEach((count, index) => {
    for (let i = 0; i < count; i++) codes[symbols[next++]] = [code++, index + 1];
    code <<= 1;
  });
  return codes;
}

/** cos((2x + 1)·u·π/16)/2, with 1/√8 for u = 0: rows are frequencies. */
const cosines = (): Float64Array =>
  Float64Array.from({ length: 64 }, (_, index) => {
    const [frequency, position] = [index >> 3, index & 7];
    const scale = frequency === 0 ? Math.SQRT1_2 : 1;
    return 0.5 * scale * Math.cos(((2 * position + 1) * frequency * Math.PI) / 16);
  });

/** IJG's scaling of the tables: 50 leaves them, 100 makes them ones. */
function quantization(table: readonly number[], quality: number): number[] {
  const scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  return table.map((value) => Math.min(255, Math.max(1, Math.floor((value * scale + 50) / 100))));
}

/** One colour component: its samples, and what codes it. */
interface Component {
  readonly samples: Float32Array;
  readonly width: number;
  readonly height: number;
  /** 0 luminance, 1 chrominance. */
  readonly table: number;
  /** Blocks in a row and column of each unit: 2 for luminance beside halved chrominance. */
  readonly factor: number;
}

/** A grey or colour picture as a baseline JPEG, colours halved in both directions below quality 90. */
export function encodeJpeg(picture: Picture, quality: number): Uint8Array<ArrayBuffer> {
  const { width, height, channels } = picture;
  const halves = channels !== 1 && quality < 90;
  const components = channels === 1 ? [greyOf(picture)] : colorsOf(picture, halves);
  const tables = [LUMINANCE, CHROMINANCE].map((table) => quantization(table, quality));
  const writer = new BitWriter();
  writer.byte(0xff);
  writer.byte(0xd8);
  writer.segment(0xe0, [0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0]);
  const used = channels === 1 ? [0] : [0, 1];
  for (const id of used) writer.segment(0xdb, [id, ...ZIGZAG.map((position) => tables[id][position])]);
  writer.segment(0xc0, [
    8,
    ...[height >> 8, height & 255, width >> 8, width & 255, components.length],
    ...components.flatMap(({ factor, table }, index) => [index + 1, factor * 17, table]),
  ]);
  for (const id of used) {
    writer.segment(0xc4, [id, ...DC_TABLES[id].counts, ...DC_TABLES[id].symbols]);
    writer.segment(0xc4, [16 + id, ...AC_TABLES[id].counts, ...AC_TABLES[id].symbols]);
  }
  writer.segment(0xda, [
    components.length,
    ...components.flatMap(({ table }, index) => [index + 1, table * 17]),
    ...[0, 63, 0],
  ]);
  writeBlocks(
    writer,
    components,
    tables,
    Math.ceil(width / (halves ? 16 : 8)),
    Math.ceil(height / (halves ? 16 : 8)),
  );
  return writer.finish();
}

function greyOf({ data, width, height }: Picture): Component {
  return { samples: Float32Array.from(data, (level) => level - 128), width, height, table: 0, factor: 1 };
}

/** JFIF's Y, Cb and Cr, around 0. */
function colorsOf({ data, width, height, channels }: Picture, halves: boolean): Component[] {
  const size = width * height;
  const [luma, blue, red] = [new Float32Array(size), new Float32Array(size), new Float32Array(size)];
  for (let pixel = 0, at = 0; pixel < size; pixel++, at += channels) {
    const [r, g, b] = [data[at], data[at + 1], data[at + 2]];
    luma[pixel] = 0.299 * r + 0.587 * g + 0.114 * b - 128;
    blue[pixel] = -0.168735892 * r - 0.331264108 * g + 0.5 * b;
    red[pixel] = 0.5 * r - 0.418687589 * g - 0.081312411 * b;
  }
  const chroma = (samples: Float32Array): Component =>
    halves ? halved(samples, width, height) : { samples, width, height, table: 1, factor: 1 };
  return [{ samples: luma, width, height, table: 0, factor: halves ? 2 : 1 }, chroma(blue), chroma(red)];
}

/** Means of two by two samples; the last row and column go on. */
function halved(samples: Float32Array, width: number, height: number): Component {
  const [newWidth, newHeight] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const result = new Float32Array(newWidth * newHeight);
  for (let y = 0; y < newHeight; y++)
    for (let x = 0; x < newWidth; x++) {
      const [top, bottom] = [2 * y, Math.min(height - 1, 2 * y + 1)];
      const [left, right] = [2 * x, Math.min(width - 1, 2 * x + 1)];
      const sum =
        samples[top * width + left] +
        samples[top * width + right] +
        samples[bottom * width + left] +
        samples[bottom * width + right];
      result[y * newWidth + x] = sum / 4;
    }
  return { samples: result, width: newWidth, height: newHeight, table: 1, factor: 1 };
}

function writeBlocks(
  writer: BitWriter,
  components: readonly Component[],
  tables: readonly number[][],
  columns: number,
  rows: number,
): void {
  const basis = cosines();
  const codes = [0, 1].map((id) => ({ dc: codesOf(DC_TABLES[id]), ac: codesOf(AC_TABLES[id]) }));
  const previous = components.map(() => 0);
  const block = new Float64Array(64);
  const levels = new Int32Array(64);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      components.forEach((component, index) => {
        const { factor, table } = component;
        for (let y = 0; y < factor; y++)
          for (let x = 0; x < factor; x++) {
            loadBlock(component, (column * factor + x) * 8, (row * factor + y) * 8, block);
            transform(block, basis);
            for (let at = 0; at < 64; at++)
              levels[at] = Math.round(block[ZIGZAG[at]] / tables[table][ZIGZAG[at]]);
            previous[index] = writeBlock(writer, levels, previous[index], codes[table]);
          }
      });
}

/** 8 × 8 samples; beyond the picture its last row and column go on. */
function loadBlock(
  { samples, width, height }: Component,
  left: number,
  top: number,
  block: Float64Array,
): void {
  for (let y = 0; y < 8; y++) {
    const row = Math.min(height - 1, top + y) * width;
    for (let x = 0; x < 8; x++) block[8 * y + x] = samples[row + Math.min(width - 1, left + x)];
  }
}

/** Discrete cosine transform, rows then columns, in place. */
function transform(block: Float64Array, basis: Float64Array): void {
  for (const [start, step] of [
    [8, 1],
    [1, 8],
  ]) {
    const line = new Float64Array(8);
    for (let index = 0; index < 8; index++) {
      for (let at = 0; at < 8; at++) line[at] = block[index * start + at * step];
      for (let frequency = 0; frequency < 8; frequency++) {
        let sum = 0;
        for (let at = 0; at < 8; at++) sum += basis[8 * frequency + at] * line[at];
        block[index * start + frequency * step] = sum;
      }
    }
  }
}

/** Bits that a value takes: 0 for 0. */
const sizeOf = (value: number): number => 32 - Math.clz32(Math.abs(value));

/** A value's bits; a negative one is one less. */
function writeValue(writer: BitWriter, value: number, size: number): void {
  writer.bits(value < 0 ? value + 2 ** size - 1 : value, size);
}

/** @returns the block's first level, from which the next block's is coded. */
function writeBlock(
  writer: BitWriter,
  levels: Int32Array,
  previous: number,
  { dc, ac }: { readonly dc: Codes; readonly ac: Codes },
): number {
  const difference = levels[0] - previous;
  const size = sizeOf(difference);
  writer.bits(...dc[size]);
  writeValue(writer, difference, size);
  let zeros = 0;
  for (let at = 1; at < 64; at++) {
    const level = levels[at];
    if (level === 0) {
      zeros++;
      continue;
    }
    for (; zeros > 15; zeros -= 16) writer.bits(...ac[0xf0]);
    const bits = sizeOf(level);
    writer.bits(...ac[16 * zeros + bits]);
    writeValue(writer, level, bits);
    zeros = 0;
  }
  if (zeros > 0) writer.bits(...ac[0]);
  return levels[0];
}
