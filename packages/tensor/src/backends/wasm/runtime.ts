import { DeviceError, KernelError } from "../../errors.js";
import { ALIGNMENT, Allocator } from "./allocator.js";
import { PLAIN_BINARY, RELAXED_BINARY } from "./binary.generated.js";
import type { WasmExports } from "./exports.generated.js";
import { WorkerPool } from "./threads.js";

const PAGE_BYTES = 65536;
/** 4 GiB: what 32-bit addresses reach. */
const MAXIMUM_PAGES = 65536;
/** The kernels' control block, descriptor and zeros lie below this address. */
const HEAP_START = PAGE_BYTES;
/** Working memory of one thread: a packed block of A (96 × 320 floats) and a few tiles. */
const SCRATCH_BYTES = 256 * 1024;

/** Options of {@link createRuntime}. */
export interface RuntimeOptions {
  /** Take the binary with fused multiply-adds where the machine has them: faster, but the last bits differ between machines. Default false. */
  readonly relaxedSimd?: boolean;
  /** Pages of 64 KiB that the memory may have at most. Default 65536: 4 GiB. */
  readonly maximumPages?: number;
  /** Ask for a memory that several threads share. Default: where the environment has such memories. */
  readonly shared?: boolean;
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 2 : 0)} MiB`;
}

/** The bytes of a binary: base64 of deflated data. */
async function decode(base64: string): Promise<Uint8Array<ArrayBuffer>> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(inflated).arrayBuffer());
}

/** One WebAssembly memory, the kernels that work on it, the allocator of its space and the workers that share it. */
export class WasmRuntime {
  readonly allocator: Allocator;
  readonly pool: WorkerPool;
  /** The compiled kernels; after a worker was lost, for a while functions that refuse. */
  exports: WasmExports;
  private readonly kernels: WasmExports;
  private floats!: Float32Array;
  private integers!: Int32Array;
  private bytes!: Uint8Array;
  /** Every object that stood for the memory: growth gives shared memory a new one and leaves the old ones valid. */
  private readonly buffers = new WeakSet<ArrayBufferLike>();
  private workspace = 0;
  private workspaceBytes = 0;
  /** Whether no kernel that runs has asked for the working memory. */
  isWorkspaceIdle = true;
  /** Frees what can be made again from tensors. */
  releaseCopies: () => void = () => undefined;
  private readonly scratchBlocks = new Set<number>();

  constructor(
    readonly memory: WebAssembly.Memory,
    module: WebAssembly.Module,
    /** Whether the kernels use relaxed SIMD. */
    readonly relaxedSimd: boolean,
    /** What was asked for. */
    readonly options: Readonly<RuntimeOptions>,
    private readonly maximumPages: number,
  ) {
    this.view();
    this.allocator = new Allocator(HEAP_START, (end) => this.reach(end));
    this.pool = new WorkerPool({
      module,
      memory,
      shared: this.shared,
      allocateScratch: () => this.allocateScratch(),
      releaseScratch: (address) => this.releaseScratch(address),
      suspend: () => this.suspend(),
      resume: () => this.resume(),
    });
    const instance = new WebAssembly.Instance(module, { env: { memory, watch: () => this.pool.watch() } });
    this.kernels = instance.exports as unknown as WasmExports;
    this.exports = this.kernels;
    this.exports.setScratch(this.allocateScratch());
  }

  /** Whether several threads can share the memory. */
  get shared(): boolean {
    return typeof SharedArrayBuffer !== "undefined" && this.memory.buffer instanceof SharedArrayBuffer;
  }

  /** All of the memory as floats. Growth detaches an older view: ask again after each allocation. */
  get float32(): Float32Array {
    this.refresh();
    return this.floats;
  }

  /** All of the memory as 32-bit integers, under the same rule. */
  get int32(): Int32Array {
    this.refresh();
    return this.integers;
  }

  /** All of the memory as bytes, under the same rule. */
  get uint8(): Uint8Array {
    this.refresh();
    return this.bytes;
  }

  /** Whether an array is a view of the memory. */
  owns(values: unknown): boolean {
    return ArrayBuffer.isView(values) && this.buffers.has(values.buffer);
  }

  /**
   * Address of `bytes` uninitialised bytes. Where there is no room, packed copies and idle working memory make it.
   * @throws DeviceError when that does not suffice.
   */
  allocate(bytes: number): number {
    try {
      return this.allocator.allocate(bytes);
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      this.releaseCopies();
      if (this.isWorkspaceIdle) this.releaseWorkspace();
      return this.allocator.allocate(bytes);
    }
  }

  /** Address of working memory of at least `bytes`; it holds nothing from one kernel to the next. */
  scratch(bytes: number): number {
    if (this.workspaceBytes < bytes) {
      this.releaseWorkspace();
      this.workspace = this.allocate(bytes);
      this.workspaceBytes = bytes;
    }
    this.isWorkspaceIdle = false;
    return this.workspace;
  }

  private releaseWorkspace(): void {
    if (this.workspace !== 0) this.allocator.release(this.workspace);
    this.workspace = 0;
    this.workspaceBytes = 0;
  }

  /** Working memory of the threads and of the kernels. */
  get workingBytes(): number {
    return this.scratchBlocks.size * SCRATCH_BYTES + Math.ceil(this.workspaceBytes / ALIGNMENT) * ALIGNMENT;
  }

  /** Bytes of tensors and packed copies: what is in use without the working memory. */
  get tensorBytes(): number {
    return this.allocator.bytesInUse - this.workingBytes;
  }

  /** How large the memory may grow. */
  get limitBytes(): number {
    return this.maximumPages * PAGE_BYTES;
  }

  /** What holds the memory, for the error when there is no more. */
  private holders(): string {
    const sizes = this.allocator.blocksInUse().sort((a, b) => b - a);
    const { freeBytes, largestBytes } = this.allocator.fragmentation();
    return (
      `${sizes.length} tensors, packed weights and working memories hold ${megabytes(this.allocator.bytesInUse)}, ` +
      `the largest ${sizes.slice(0, 5).map(megabytes).join(", ")}; ` +
      `${megabytes(freeBytes)} are free, in one piece ${megabytes(largestBytes)}`
    );
  }

  private refresh(): void {
    if (this.floats.buffer !== this.memory.buffer) this.view();
  }

  private view(): void {
    const { buffer } = this.memory;
    this.buffers.add(buffer);
    this.floats = new Float32Array(buffer);
    this.integers = new Int32Array(buffer);
    this.bytes = new Uint8Array(buffer);
  }

  /** What a lost worker may still write to stays out of use. */
  private suspend(): void {
    this.allocator.isHolding = true;
    this.exports = new Proxy(this.kernels, {
      get() {
        throw new KernelError(
          "wasm: expected the threads of the last operation to have ended, got one that may still write; await before the next operation, until new workers run",
        );
      },
    });
  }

  private resume(): void {
    this.exports = this.kernels;
    this.allocator.isHolding = false;
  }

  private allocateScratch(): number {
    const address = this.allocate(SCRATCH_BYTES);
    this.scratchBlocks.add(address);
    return address;
  }

  private releaseScratch(address: number): void {
    this.scratchBlocks.delete(address);
    this.allocator.release(address);
  }

  private reach(end: number): number {
    const current = this.memory.buffer.byteLength;
    if (end <= current) return current;
    const needed = Math.ceil((end - current) / PAGE_BYTES);
    // an eighth more, at most 64 MiB, so that growth stays rare
    const generous = Math.max(needed, Math.min(1024, current >>> 19));
    for (const pages of [generous, needed]) {
      try {
        this.memory.grow(pages);
        return this.memory.buffer.byteLength;
      } catch {
        // the limit: try the smaller step
      }
    }
    throw new DeviceError(
      `wasm: expected ${megabytes(end - current)} more memory, got a refusal at ${megabytes(current)}: ${this.holders()}; dispose tensors or compute in smaller batches`,
    );
  }
}

/**
 * The binary for a memory that is not shared: one flag of its import says so.
 * @see WebAssembly core specification 3.0, "Memory types": 3 is shared with a maximum, 1 has a maximum.
 */
function unshare(binary: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode("memory");
  // the import: its name, kind 2 (a memory), the flag
  for (let at = 0; at < binary.length - 8; at++)
    if (name.every((byte, i) => binary[at + i] === byte) && binary[at + 6] === 2 && binary[at + 7] === 3) {
      const copy = binary.slice();
      copy[at + 7] = 1;
      return copy;
    }
  throw new DeviceError(
    "wasm: expected kernels that import a shared memory, got others; reinstall the package",
  );
}

/** Whether memory can be shared between threads here: always in Node, in browsers on a cross-origin isolated page. */
function canShare(): boolean {
  return (
    typeof SharedArrayBuffer !== "undefined" &&
    (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated !== false
  );
}

/** Node 20 knows relaxed SIMD behind a flag, which may be set until the module is compiled. */
async function allowRelaxedSimd(binary: Uint8Array<ArrayBuffer>): Promise<boolean> {
  if (WebAssembly.validate(binary)) return true;
  if (typeof process === "undefined" || process.versions?.node === undefined) return false;
  const { setFlagsFromString } = await import(/* webpackIgnore: true */ "node:v8");
  setFlagsFromString("--experimental-wasm-relaxed-simd");
  return WebAssembly.validate(binary);
}

/**
 * Compiles the kernels and makes their memory. One thread computes until `runtime.pool.resize` adds workers.
 * @throws DeviceError where WebAssembly or its SIMD instructions are missing.
 */
export async function createRuntime(options: RuntimeOptions = {}): Promise<WasmRuntime> {
  const { relaxedSimd = false, maximumPages = MAXIMUM_PAGES, shared = canShare() } = options;
  if (typeof WebAssembly !== "object")
    throw new DeviceError("wasm: expected an environment with WebAssembly, got none; use cpu");
  const { memory, maximum } = reserve(maximumPages, shared);
  const isShared = !(memory.buffer instanceof ArrayBuffer);
  const form = async (text: string) => (isShared ? await decode(text) : unshare(await decode(text)));
  const relaxed = relaxedSimd ? await form(RELAXED_BINARY) : undefined;
  const useRelaxed = relaxed !== undefined && (await allowRelaxedSimd(relaxed));
  const binary = useRelaxed ? relaxed : await form(PLAIN_BINARY);
  if (!WebAssembly.validate(binary))
    throw new DeviceError(
      "wasm: expected WebAssembly with 128-bit SIMD and atomics, got an engine without; use cpu or a newer engine",
    );
  return new WasmRuntime(memory, await WebAssembly.compile(binary), useRelaxed, options, maximum);
}

/** A memory that may grow as far as this engine lets it; not shared where shared memory is refused. */
function reserve(maximumPages: number, shared: boolean): { memory: WebAssembly.Memory; maximum: number } {
  for (let maximum = maximumPages; ; maximum = Math.floor(maximum / 2)) {
    try {
      const memory = new WebAssembly.Memory({ initial: Math.min(64, maximum), maximum, shared });
      return { memory, maximum };
    } catch (error) {
      if (maximum >= 1024) continue;
      if (shared) return reserve(maximumPages, false);
      throw new DeviceError(`wasm: expected memory for tensors, got ${String(error)}; close other pages`);
    }
  }
}
