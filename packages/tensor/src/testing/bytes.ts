type Part = number | string | Uint8Array;

/** A byte for a number, UTF-8 for text. */
export function bytesOf(...parts: readonly Part[]): Uint8Array {
  const pieces = parts.map((part) =>
    typeof part === "number"
      ? Uint8Array.of(part)
      : typeof part === "string"
        ? new TextEncoder().encode(part)
        : part,
  );
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Little-endian. */
export const uint32 = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);
/** Little-endian. */
export const uint16 = (value: number): Uint8Array => new Uint8Array(Uint16Array.of(value).buffer);
/** Little-endian. */
export const uint64 = (value: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(value).buffer);
