import { crc32c } from "../crc32c.js";
import type { Histogram, ValueStatistics } from "../parameter-statistics.js";

/** Added by TFRecord to a rotated CRC, so that a CRC of data that hold CRCs is no trivial value. */
const MASK_DELTA = 0xa282ead8;
/** The version that every event file begins with. */
const FILE_VERSION = "brain.Event:2";

// wire types of protocol buffers
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** A scalar of one step. */
export interface Scalar {
  readonly tag: string;
  readonly value: number;
}

/** How the values of a tensor are spread at one step. */
export interface HistogramSummary {
  readonly tag: string;
  readonly statistics: ValueStatistics & { readonly histogram: Histogram };
}

class MessageWriter {
  readonly #parts: number[] = [];

  #key(field: number, type: number): void {
    this.#varint(BigInt((field << 3) | type));
  }

  #varint(value: bigint): void {
    let rest = value;
    while (rest > 0x7fn) {
      this.#parts.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.#parts.push(Number(rest));
  }

  integer(field: number, value: number): this {
    this.#key(field, VARINT);
    this.#varint(BigInt(value));
    return this;
  }

  double(field: number, value: number): this {
    this.#key(field, FIXED64);
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    this.#parts.push(...bytes);
    return this;
  }

  /** Several numbers in one field. */
  doubles(field: number, values: readonly number[]): this {
    const bytes = new Uint8Array(8 * values.length);
    const view = new DataView(bytes.buffer);
    for (const [index, value] of values.entries()) view.setFloat64(8 * index, value, true);
    return this.bytes(field, bytes);
  }

  float(field: number, value: number): this {
    this.#key(field, FIXED32);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.#parts.push(...bytes);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#key(field, BYTES);
    this.#varint(BigInt(value.length));
    for (const byte of value) this.#parts.push(byte);
    return this;
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#parts);
  }
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function event(wallTime: number, step: number): MessageWriter {
  return new MessageWriter().double(1, wallTime).integer(2, step);
}

/** The first event of a file. @param wallTime Seconds since 1970. */
export function versionEvent(wallTime: number): Uint8Array {
  return new MessageWriter().double(1, wallTime).bytes(3, text(FILE_VERSION)).finish();
}

/** Tells TensorBoard that a run begins again: what earlier files have from `step` on is dropped. */
export function restartEvent(wallTime: number, step: number): Uint8Array {
  const START = 1;
  return event(wallTime, step).bytes(7, new MessageWriter().integer(1, START).finish()).finish();
}

/** Scalars of one step. */
export function scalarEvent(wallTime: number, step: number, scalars: readonly Scalar[]): Uint8Array {
  const summary = new MessageWriter();
  for (const { tag, value } of scalars)
    summary.bytes(1, new MessageWriter().bytes(1, text(tag)).float(2, value).finish());
  return event(wallTime, step).bytes(5, summary.finish()).finish();
}

/** Histograms of one step. */
export function histogramEvent(
  wallTime: number,
  step: number,
  histograms: readonly HistogramSummary[],
): Uint8Array {
  const summary = new MessageWriter();
  for (const { tag, statistics } of histograms) {
    const { size, nonFinite, mean, norm, min, max, histogram } = statistics;
    const message = new MessageWriter()
      .double(1, min)
      .double(2, max)
      .double(3, size - nonFinite)
      .double(4, mean * (size - nonFinite))
      .double(5, norm * norm)
      .doubles(6, histogram.edges.slice(1))
      .doubles(7, histogram.counts);
    summary.bytes(1, new MessageWriter().bytes(1, text(tag)).bytes(5, message.finish()).finish());
  }
  return event(wallTime, step).bytes(5, summary.finish()).finish();
}

function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0;
}

/** One record of a TFRecord file: length, its CRC, the data, their CRC. */
export function record(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16 + data.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(bytes.subarray(0, 8)), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc(data), true);
  return bytes;
}
