import { describe, expect, it } from "vitest";
import { randomStream } from "../../testing/wasm-kernels.js";
import { ALIGNMENT, Allocator } from "./allocator.js";

const START = 1024;

/** An allocator over a memory that grows in steps of 4096 bytes up to `limit`. */
function growing(limit = Number.POSITIVE_INFINITY): { allocator: Allocator; end: () => number } {
  let end = START;
  const allocator = new Allocator(START, (needed) => {
    const next = Math.ceil(needed / 4096) * 4096;
    if (next > limit) throw new RangeError("limit");
    end = next;
    return end;
  });
  return { allocator, end: () => end };
}

const rounded = (bytes: number): number => Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);

describe("Allocator", () => {
  it("aligns, never overlaps, and forgets nothing over random allocations and releases", () => {
    const random = randomStream(1);
    const { allocator, end } = growing();
    const live = new Map<number, number>();
    for (let step = 0; step < 4000; step++) {
      if (live.size > 0 && random() < (step % 1000 < 500 ? 0.4 : 0.6)) {
        const address = [...live.keys()][Math.floor(random() * live.size)];
        allocator.release(address);
        live.delete(address);
      } else {
        const bytes = Math.floor(2 ** (random() * 16));
        live.set(allocator.allocate(bytes), bytes);
      }
      if (step % 50 !== 0) continue;
      const sorted = [...live].sort(([a], [b]) => a - b);
      let free = START;
      let inUse = 0;
      for (const [address, bytes] of sorted) {
        expect(address % ALIGNMENT).toBe(0);
        expect(address).toBeGreaterThanOrEqual(free);
        free = address + rounded(bytes);
        inUse += rounded(bytes);
      }
      expect(free).toBeLessThanOrEqual(end());
      expect(allocator.bytesInUse).toBe(inUse);
      expect(allocator.fragmentation().freeBytes).toBe(end() - START - inUse);
    }
    for (const address of live.keys()) allocator.release(address);
    expect(allocator.bytesInUse).toBe(0);
    expect(allocator.fragmentation()).toEqual({
      freeBlocks: 1,
      largestBytes: end() - START,
      freeBytes: end() - START,
    });
  });

  it("joins a released block with both neighbours", () => {
    const { allocator } = growing();
    const [first, second, third] = [4096, 4096, 4096].map((bytes) => allocator.allocate(bytes));
    allocator.allocate(64);
    for (const address of [first, third, second]) allocator.release(address);
    expect(allocator.allocate(3 * 4096)).toBe(first);
  });

  it("reuses a block for another size and does not grow for what fits", () => {
    const { allocator, end } = growing();
    const address = allocator.allocate(10_000);
    const before = end();
    allocator.release(address);
    expect(allocator.allocate(5000)).toBe(address);
    expect(allocator.allocate(4000)).toBeGreaterThan(address);
    expect(end()).toBe(before);
  });

  it("extends a free block at the end when it grows", () => {
    const { allocator, end } = growing();
    const address = allocator.allocate(3000);
    allocator.release(address);
    expect(allocator.allocate(50_000)).toBe(START);
    expect(end()).toBe(53_248);
  });

  it("stays whole when the memory may not grow", () => {
    const { allocator } = growing(8192);
    const address = allocator.allocate(4000);
    expect(() => allocator.allocate(10_000)).toThrow("limit");
    allocator.release(address);
    expect(allocator.bytesInUse).toBe(0);
    expect(allocator.allocate(6000)).toBe(START);
  });

  it("gives empty tensors addresses of their own and ignores a second release", () => {
    const { allocator } = growing();
    const [a, b] = [allocator.allocate(0), allocator.allocate(0)];
    expect(a).not.toBe(b);
    allocator.release(a);
    allocator.release(a);
    expect(allocator.bytesInUse).toBe(ALIGNMENT);
  });
});
