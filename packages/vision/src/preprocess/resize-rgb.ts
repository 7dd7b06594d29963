import type { Picture } from "./picture.js";
import type { ResampleWeights } from "./resample-filters.js";
import { BINARY } from "./resize-binary.generated.js";

/** What wasm/resize.ts exports. */
interface ResizePasses {
  readonly memory: WebAssembly.Memory;
  resizeRows(
    input: number,
    inputWidth: number,
    rows: number,
    output: number,
    width: number,
    ...tables: readonly number[]
  ): void;
  resizeColumns(
    input: number,
    rowLength: number,
    output: number,
    height: number,
    ...tables: readonly number[]
  ): void;
}

/** Where its own data might lie. */
const FIRST_ADDRESS = 1024;
const PAGE_BYTES = 2 ** 16;
/** Bytes of input at a time; the passes read and write up to 16 behind an end. */
const CHUNK_BYTES = 2 ** 20;
const SLACK_BYTES = 16;
/** Above this the passes in JavaScript take over, below the next the memory is kept: it never shrinks. */
const MAX_BYTES = 2 ** 26;
const MAX_KEPT_BYTES = 2 ** 23;

let passes: ResizePasses | null | undefined;

/** @returns null without SIMD, or in a page whose policy forbids WebAssembly. */
function start(): ResizePasses | null {
  try {
    const binary = Uint8Array.from(atob(BINARY), (character) => character.charCodeAt(0));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary));
    return exports as unknown as ResizePasses;
  } catch {
    return null;
  }
}

/**
 * Both passes of resizing an RGB picture in WebAssembly, to the same bytes as those in JavaScript.
 * @param rows The first input row that is used, and how many are.
 * @returns undefined where that cannot be, or the picture is too large.
 */
export function resizeRgb(
  { data, width: inputWidth }: Picture,
  { first, count }: { readonly first: number; readonly count: number },
  { horizontal, vertical }: { readonly horizontal?: ResampleWeights; readonly vertical?: ResampleWeights },
): Uint8Array | undefined {
  if (passes === undefined) passes = start();
  if (passes === null) return undefined;
  const rowBytes = inputWidth * 3;
  const width = horizontal?.starts.length ?? inputWidth;
  const height = vertical?.starts.length ?? count;
  const chunkRows = horizontal === undefined ? 0 : Math.max(1, Math.floor(CHUNK_BYTES / rowBytes));
  let end = FIRST_ADDRESS;
  const reserve = (bytes: number): number => {
    const address = end;
    end = (end + bytes + SLACK_BYTES + 15) & ~15;
    return address;
  };
  const tablesOf = ({ starts, counts, weights }: ResampleWeights) =>
    [starts, counts, weights].map((table) => ({ table, address: reserve(table.byteLength) }));
  const across = horizontal && tablesOf(horizontal);
  // rows count from the first one that is used
  const down = vertical && tablesOf({ ...vertical, starts: vertical.starts.map((row) => row - first) });
  const sizes = [Math.min(chunkRows, count) * rowBytes, count * width * 3, height * width * 3];
  if (sizes.reduce((total, bytes) => total + bytes, end) > MAX_BYTES) return undefined;
  const [chunk, middle, output] = sizes.map(reserve);
  const { memory } = passes;
  const missing = end - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
  const bytes = new Uint8Array(memory.buffer);
  const integers = new Int32Array(memory.buffer);
  for (const { table, address } of [...(across ?? []), ...(down ?? [])]) integers.set(table, address / 4);
  const rowsOf = (row: number, length: number) =>
    data.subarray((first + row) * rowBytes, (first + row + length) * rowBytes);
  if (horizontal === undefined || across === undefined) bytes.set(rowsOf(0, count), middle);
  else
    for (let row = 0; row < count; row += chunkRows) {
      const rows = Math.min(chunkRows, count - row);
      bytes.set(rowsOf(row, rows), chunk);
      const tables = [...across.map(({ address }) => address), horizontal.taps];
      passes.resizeRows(chunk, inputWidth, rows, middle + row * width * 3, width, ...tables);
    }
  if (vertical !== undefined && down !== undefined)
    passes.resizeColumns(
      middle,
      width * 3,
      output,
      height,
      ...down.map(({ address }) => address),
      vertical.taps,
    );
  const result = vertical === undefined ? middle : output;
  if (memory.buffer.byteLength > MAX_KEPT_BYTES) passes = undefined;
  return bytes.slice(result, result + height * width * 3);
}
