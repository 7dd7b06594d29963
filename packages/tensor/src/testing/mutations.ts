/** Random numbers that a seed repeats (mulberry32). */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Numbers at which lengths, offsets and types go wrong. */
const EDGES: readonly bigint[] = [
  0n,
  1n,
  -1n,
  2n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  2n ** 32n,
  2n ** 53n,
  2n ** 62n,
  2n ** 63n,
];

/** What a hostile file would like to say. */
const WORDS: readonly string[] = [
  "__proto__",
  "constructor",
  "../../etc/passwd",
  "cos\nsystem\n",
  "cposix\nsystem\n",
  "(S'echo'\ntR.",
  "\u0000",
  "{",
  "}",
  "[[[[[[[[",
  "((((((((",
  ")))))))))R",
  "}}}}}}}}",
  "99999999999999999999",
  "'|O'",
  "x".repeat(300),
];

const encoder = new TextEncoder();

function replace(bytes: Uint8Array, start: number, removed: number, added: Uint8Array): Uint8Array {
  const result = new Uint8Array(bytes.length - removed + added.length);
  result.set(bytes.subarray(0, start));
  result.set(added, start);
  result.set(bytes.subarray(start + removed), start + added.length);
  return result;
}

/**
 * A damaged or hostile variant of a file: some bytes changed, cut out, doubled, cut off, set to edges of integers or
 * replaced by words. The same seed gives the same variant.
 */
export function mutate(original: Uint8Array, seed: number): Uint8Array {
  const random = randomNumbers(seed);
  let bytes: Uint8Array = original.slice();
  for (let change = random(4); change >= 0; change--) {
    const at = random(bytes.length + 1);
    const length = random(Math.min(64, bytes.length - at + 1));
    switch (random(10)) {
      case 0:
      case 1:
        if (at < bytes.length) bytes[at] ^= 1 << random(8);
        break;
      case 2:
      case 3:
        if (at < bytes.length) bytes[at] = random(256);
        break;
      case 4:
      case 5: {
        const size = [1, 2, 4, 8][random(4)];
        const edge = new Uint8Array(
          BigUint64Array.of(BigInt.asUintN(64, EDGES[random(EDGES.length)])).buffer,
        );
        if (at + size <= bytes.length) bytes.set(edge.subarray(0, size), at);
        break;
      }
      case 6:
        bytes = bytes.slice(0, at);
        break;
      case 7:
        bytes = replace(bytes, at, length, new Uint8Array(0));
        break;
      case 8:
        bytes = replace(bytes, random(bytes.length + 1), 0, bytes.slice(at, at + length));
        break;
      default:
        bytes = replace(bytes, at, random(2) === 0 ? 0 : length, encoder.encode(WORDS[random(WORDS.length)]));
    }
  }
  return bytes;
}
