/** Every block starts at a multiple of this: a cache line. */
export const ALIGNMENT = 64;

/** A stretch of memory between two others, measured in units of {@link ALIGNMENT}. */
interface Block {
  start: number;
  size: number;
  free: boolean;
  before: Block | undefined;
  after: Block | undefined;
  nextFree: Block | undefined;
  previousFree: Block | undefined;
}

/** Bins a power of two is divided into; a free block wastes at most an eighth of itself. */
const STEPS = 8;
const BINS = 26 * STEPS;

/** The bin that a free block of `size` units lies in. */
function binOf(size: number): number {
  if (size < STEPS) return size;
  const power = 31 - Math.clz32(size);
  return (power - 2) * STEPS + ((size >> (power - 3)) & (STEPS - 1));
}

/**
 * Hands out addresses of one growing memory: two-level segregated fit with coalescing. The books are kept outside of the
 * memory, so that a kernel that writes too far cannot damage them.
 */
export class Allocator {
  /** Bytes handed out and not yet released, rounded up to whole units. */
  bytesInUse = 0;
  private holding = false;
  private readonly held: number[] = [];
  private readonly used = new Map<number, Block>();
  private readonly bins = new Array<Block | undefined>(BINS).fill(undefined);
  private readonly occupied = new Int32Array(Math.ceil(BINS / 32));
  private last: Block | undefined;
  private end: number;

  /**
   * @param start First address to hand out, a multiple of {@link ALIGNMENT}.
   * @param grow Makes the memory reach at least to the given end and returns its new end; throws at the limit.
   */
  constructor(
    start: number,
    private readonly grow: (endBytes: number) => number,
  ) {
    this.end = start / ALIGNMENT;
  }

  /** Address of `bytes` uninitialised bytes, a multiple of {@link ALIGNMENT}; 0 bytes have an address of their own too. */
  allocate(bytes: number): number {
    const size = Math.max(1, Math.ceil(bytes / ALIGNMENT));
    const block = this.take(size) ?? this.extend(size);
    block.free = false;
    if (block.size > size) this.split(block, size);
    const address = block.start * ALIGNMENT;
    this.used.set(address, block);
    this.bytesInUse += size * ALIGNMENT;
    return address;
  }

  /** Whether released blocks wait until this is false again before they are handed out. */
  get isHolding(): boolean {
    return this.holding;
  }

  set isHolding(isHolding: boolean) {
    this.holding = isHolding;
    if (!isHolding) for (const address of this.held.splice(0)) this.release(address);
  }

  /** Gives back what {@link allocate} returned. Releasing an address twice does nothing. */
  release(address: number): void {
    const block = this.used.get(address);
    if (block === undefined) return;
    if (this.holding) {
      this.held.push(address);
      return;
    }
    this.used.delete(address);
    this.bytesInUse -= block.size * ALIGNMENT;
    block.free = true;
    if (block.after?.free) {
      this.unlink(block.after);
      this.absorbNext(block);
    }
    const { before } = block;
    if (before?.free) {
      this.unlink(before);
      this.absorbNext(before);
      this.link(before);
    } else this.link(block);
  }

  /** Bytes of each block that is handed out. */
  blocksInUse(): number[] {
    return [...this.used.values()].map(({ size }) => size * ALIGNMENT);
  }

  /** Free blocks and the largest of them in bytes: how fragmented the memory is. */
  fragmentation(): { freeBlocks: number; largestBytes: number; freeBytes: number } {
    let freeBlocks = 0;
    let largest = 0;
    let total = 0;
    for (const head of this.bins)
      for (let block = head; block !== undefined; block = block.nextFree) {
        freeBlocks++;
        total += block.size;
        largest = Math.max(largest, block.size);
      }
    return { freeBlocks, largestBytes: largest * ALIGNMENT, freeBytes: total * ALIGNMENT };
  }

  /** A free block of at least `size`, unlinked; undefined when there is none. */
  private take(size: number): Block | undefined {
    const own = binOf(size);
    // blocks of the own bin may be too small: the first few are tried, those of any higher bin all fit
    let candidate = this.bins[own];
    for (let tries = 0; candidate !== undefined && tries < 4; tries++, candidate = candidate.nextFree)
      if (candidate.size >= size) {
        this.unlink(candidate);
        return candidate;
      }
    const bin = this.nextOccupied(own + 1);
    if (bin === undefined) return undefined;
    const block = this.bins[bin]!;
    this.unlink(block);
    return block;
  }

  private nextOccupied(from: number): number | undefined {
    for (let word = from >> 5; word < this.occupied.length; word++) {
      const bits = this.occupied[word] & (word === from >> 5 ? -1 << (from & 31) : -1);
      if (bits !== 0) return (word << 5) + 31 - Math.clz32(bits & -bits);
    }
    return undefined;
  }

  /** A block of at least `size` at the end of the memory, which grows as needed. */
  private extend(size: number): Block {
    const tail = this.last?.free ? this.last : undefined;
    const missing = size - (tail?.size ?? 0);
    const oldEnd = this.end;
    this.end = Math.floor(this.grow((oldEnd + missing) * ALIGNMENT) / ALIGNMENT);
    if (tail !== undefined) {
      this.unlink(tail);
      tail.size += this.end - oldEnd;
      return tail;
    }
    const block = this.block(oldEnd, this.end - oldEnd, this.last, undefined);
    if (this.last !== undefined) this.last.after = block;
    this.last = block;
    return block;
  }

  private split(block: Block, size: number): void {
    const rest = this.block(block.start + size, block.size - size, block, block.after);
    if (block.after === undefined) this.last = rest;
    else block.after.before = rest;
    block.after = rest;
    block.size = size;
    this.link(rest);
  }

  private block(start: number, size: number, before: Block | undefined, after: Block | undefined): Block {
    return { start, size, free: true, before, after, nextFree: undefined, previousFree: undefined };
  }

  private absorbNext(block: Block): void {
    const next = block.after!;
    block.size += next.size;
    block.after = next.after;
    if (next.after === undefined) this.last = block;
    else next.after.before = block;
  }

  private link(block: Block): void {
    const bin = binOf(block.size);
    const head = this.bins[bin];
    block.previousFree = undefined;
    block.nextFree = head;
    if (head !== undefined) head.previousFree = block;
    this.bins[bin] = block;
    this.occupied[bin >> 5] |= 1 << (bin & 31);
  }

  private unlink(block: Block): void {
    const { nextFree, previousFree } = block;
    if (nextFree !== undefined) nextFree.previousFree = previousFree;
    if (previousFree !== undefined) previousFree.nextFree = nextFree;
    else {
      const bin = binOf(block.size);
      this.bins[bin] = nextFree;
      if (nextFree === undefined) this.occupied[bin >> 5] &= ~(1 << (bin & 31));
    }
    block.nextFree = undefined;
    block.previousFree = undefined;
  }
}
