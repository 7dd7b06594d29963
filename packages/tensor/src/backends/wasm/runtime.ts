import { DeviceError } from "../../errors.js";
import { Allocator } from "./allocator.js";
import { PLAIN_BINARY, RELAXED_BINARY } from "./binary.generated.js";
import type { WasmExports } from "./exports.generated.js";

const PAGE_BYTES = 65536;
/** 4 GiB: what 32-bit addresses reach. */
const MAXIMUM_PAGES = 65536;
/** The kernels' control block, descriptor and zeros lie below this address. */
const HEAP_START = PAGE_BYTES;
/** A packed block of A (96 × 320 floats) and a few tiles. */
const SCRATCH_BYTES = 256 * 1024;

/** Options of {@link createRuntime}. */
export interface RuntimeOptions {
  /** Take the binary with fused multiply-adds where the machine has them: faster, but the last bits differ between machines. Default false. */
  readonly relaxedSimd?: boolean;
  /** Pages of 64 KiB that the memory may have at most. Default 65536: 4 GiB. */
  readonly maximumPages?: number;
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** One WebAssembly memory, the kernels that work on it and the allocator of its space. */
export class WasmRuntime {
  readonly allocator: Allocator;
  private floats: Float32Array;
  private integers: Int32Array;
  private bytes: Uint8Array;
  private workspace = 0;
  private workspaceBytes = 0;

  constructor(
    readonly memory: WebAssembly.Memory,
    readonly exports: WasmExports,
    /** Whether the kernels use relaxed SIMD. */
    readonly relaxedSimd: boolean,
    /** What was asked for. */
    readonly options: Required<RuntimeOptions>,
  ) {
    this.floats = new Float32Array(memory.buffer);
    this.integers = new Int32Array(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    this.allocator = new Allocator(HEAP_START, (end) => this.reach(end));
    exports.setScratch(this.allocator.allocate(SCRATCH_BYTES));
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
    return ArrayBuffer.isView(values) && values.buffer === this.memory.buffer;
  }

  /** Address of working memory of at least `bytes`; it holds nothing from one kernel to the next. */
  scratch(bytes: number): number {
    if (this.workspaceBytes < bytes) {
      if (this.workspace !== 0) this.allocator.release(this.workspace);
      this.workspace = 0;
      this.workspaceBytes = 0;
      this.workspace = this.allocator.allocate(bytes);
      this.workspaceBytes = bytes;
    }
    return this.workspace;
  }

  /** Bytes of tensors and packed copies: what is in use without the working memory. */
  get tensorBytes(): number {
    const unit = 64;
    return this.allocator.bytesInUse - SCRATCH_BYTES - Math.ceil(this.workspaceBytes / unit) * unit;
  }

  private refresh(): void {
    if (this.floats.buffer === this.memory.buffer) return;
    this.floats = new Float32Array(this.memory.buffer);
    this.integers = new Int32Array(this.memory.buffer);
    this.bytes = new Uint8Array(this.memory.buffer);
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
      `wasm: expected ${end - current} more bytes of memory, got a refusal at ${current}; dispose tensors or compute in smaller batches`,
    );
  }
}

/**
 * Compiles the kernels and makes their memory.
 * @throws DeviceError where WebAssembly or its SIMD instructions are missing.
 */
export async function createRuntime({
  relaxedSimd = false,
  maximumPages = MAXIMUM_PAGES,
}: RuntimeOptions = {}): Promise<WasmRuntime> {
  if (typeof WebAssembly !== "object")
    throw new DeviceError("wasm: expected an environment with WebAssembly, got none; use cpu");
  const relaxed = decode(RELAXED_BINARY);
  const useRelaxed = relaxedSimd && WebAssembly.validate(relaxed);
  const binary = useRelaxed ? relaxed : decode(PLAIN_BINARY);
  if (!WebAssembly.validate(binary))
    throw new DeviceError(
      "wasm: expected WebAssembly with 128-bit SIMD, got an engine without; use cpu or a newer engine",
    );
  const memory = reserve(maximumPages);
  const { instance } = await WebAssembly.instantiate(binary, { env: { memory } });
  return new WasmRuntime(memory, instance.exports as unknown as WasmExports, useRelaxed, {
    relaxedSimd,
    maximumPages,
  });
}

/** A memory that may grow as far as this engine lets it. */
function reserve(maximumPages: number): WebAssembly.Memory {
  for (let maximum = maximumPages; ; maximum = Math.floor(maximum / 2)) {
    try {
      return new WebAssembly.Memory({ initial: Math.min(64, maximum), maximum });
    } catch (error) {
      if (maximum < 1024)
        throw new DeviceError(`wasm: expected memory for tensors, got ${String(error)}; close other pages`);
    }
  }
}
