import { afterEach, describe, expect, it, vi } from "vitest";
import { KernelError } from "../../errors.js";
import { createRuntime, type RuntimeOptions, type WasmRuntime } from "./runtime.js";

const isNode = typeof process !== "undefined" && process.versions?.node !== undefined;
const canShare = (await createRuntime()).shared;

/** A runtime whose every job is cut, with `threads` threads where memory can be shared. */
async function runtimeWith(threads: number, options: RuntimeOptions = {}): Promise<WasmRuntime> {
  const runtime = await createRuntime(options);
  runtime.pool.setCosts({ serialBelow: 0, wakeAbove: 0 });
  await runtime.pool.resize(threads);
  return runtime;
}

/** GELU of a ramp, as bits. */
function ramp(runtime: WasmRuntime, count: number): Int32Array {
  const x = runtime.allocator.allocate(count * 4);
  const output = runtime.allocator.allocate(count * 4);
  const values = runtime.float32;
  for (let i = 0; i < count; i++) values[x / 4 + i] = (i - count / 2) / 100;
  runtime.exports.gelu(x, output, count, 0);
  const bits = runtime.int32.slice(output / 4, output / 4 + count);
  runtime.allocator.release(x);
  runtime.allocator.release(output);
  return bits;
}

describe("WorkerPool", () => {
  it("gives the same bits for any number of threads, again and again", async () => {
    const single = await runtimeWith(1);
    const expected = ramp(single, 5003);
    const runtime = await runtimeWith(4);
    if (!runtime.shared) return expect(runtime.pool.threads).toBe(1);
    expect(runtime.pool.threads).toBe(4);
    for (let i = 0; i < 20; i++) expect(ramp(runtime, 5003)).toEqual(expected);
    expect(await runtime.pool.resize(3)).toBe(3);
    expect(ramp(runtime, 5003)).toEqual(expected);
    expect(await runtime.pool.resize(1)).toBe(1);
    expect(ramp(runtime, 5003)).toEqual(expected);
    expect(runtime.tensorBytes).toBe(0);
  });
});

describe.skipIf(!canShare)("the job queue", () => {
  it("keeps the next task's number out of the number of tasks, however many there are", async () => {
    const runtime = await runtimeWith(4);
    const { exports, allocator, memory } = runtime;
    const [a, b, c] = [16, 16, 16].map((bytes) => allocator.allocate(bytes));
    const packed = allocator.allocate(4 * 64);
    // every product of the batch reads and writes the same two by two numbers
    exports.setProduct(a, b, c, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, packed, 0, 0);
    const count = 2 ** 20 - 2;
    const ticket = new BigInt64Array(memory.buffer, 64, 1);
    const tasks = () => Number((Atomics.load(ticket, 0) >> 20n) & 0xfffffn);
    const before = tasks();
    exports.multiplyBatch(count, 0, 0, 0, 64);
    // workers look for a task once more when they notice that the job is new to them, and when they have been late
    for (let turn = 0; turn < 20; turn++) {
      expect([before, count]).toContain(tasks());
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
});

/** Tasks of four rows and some 20 ms each for two threads: the dot product of one long row with itself, again and again. */
function multiplyLong(
  runtime: WasmRuntime,
  { rows = 12, y }: { rows?: number; y?: number } = {},
): Int32Array {
  const depth = 2 ** 23;
  const x = runtime.allocator.allocate(depth * 4);
  const output = runtime.allocator.allocate(rows * 4);
  try {
    runtime.float32.fill(0.5, x / 4, x / 4 + depth);
    runtime.exports.multiplyVectorTransposed(x, x, y ?? output, rows, depth, 0, 0, 0);
    return runtime.int32.slice(output / 4, output / 4 + rows);
  } finally {
    runtime.allocator.release(x);
    runtime.allocator.release(output);
  }
}

/** The first of many tries that throws a KernelError. */
function failure(run: (attempt: number) => unknown): KernelError | undefined {
  for (let attempt = 0; attempt < 40; attempt++)
    try {
      run(attempt);
    } catch (error) {
      if (error instanceof KernelError) return error;
      expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
    }
  return undefined;
}

/** Waits until workers that were lost have been replaced. */
async function untilThreads(runtime: WasmRuntime, count: number): Promise<void> {
  for (let attempt = 0; runtime.pool.threads !== count && attempt < 3000; attempt++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  expect(runtime.pool.threads).toBe(count);
}

describe.skipIf(!canShare)("a lost worker", () => {
  // a browser lets a worker finish its task before it ends it
  it.skipIf(!isNode)(
    "that is killed while it holds a task ends in a KernelError, and the engine goes on",
    async () => {
      // a worker may end its task before its end comes: then nobody misses it, and another runtime is tried
      const killed = async (): Promise<{
        runtime: WasmRuntime;
        expected: Int32Array;
        error: KernelError;
      }> => {
        for (let turn = 0; turn < 20; turn++) {
          const runtime = await runtimeWith(2);
          const expected = multiplyLong(runtime);
          const { pool } = runtime;
          pool.stallMilliseconds = 500;
          const { workers } = pool as unknown as {
            workers: { handle: { terminate(): Promise<void> } }[];
          };
          // the kernels call the watch while they wait for the worker's part
          const watch = vi.spyOn(pool, "watch").mockImplementationOnce(() => {
            void workers[0].handle.terminate();
          });
          const error = failure(() => {
            if (watch.mock.calls.length === 0) multiplyLong(runtime);
          });
          pool.stallMilliseconds = 20_000;
          if (error !== undefined) return { runtime, expected, error };
        }
        throw new Error("no worker was killed in its task in 20 runtimes");
      };
      const { runtime, expected, error } = await killed();
      const { pool } = runtime;
      expect(error.message).toMatch(/a worker thread has not answered for \d+ ms/);
      expect(pool.threads).toBe(1);
      // nobody knows yet that the worker is gone
      expect(() => multiplyLong(runtime)).toThrow(/await before the next operation/);
      await untilThreads(runtime, 2);
      expect(multiplyLong(runtime)).toEqual(expected);
    },
  );

  it("that traps ends in a KernelError that says what happened, and the engine goes on", async () => {
    const runtime = await runtimeWith(2);
    const expected = ramp(runtime, 5003);
    multiplyLong(runtime); // the memory has grown
    // The output of the last task lies behind the memory's end. Two threads take turns: of seven or eight tasks, the last
    // is now one's and now the other's.
    const error = failure((attempt) => {
      const rows = attempt % 2 === 0 ? 32 : 28;
      try {
        multiplyLong(runtime, { rows, y: runtime.memory.buffer.byteLength - (rows - 4) * 4 });
      } finally {
        runtime.pool.endJob(); // what the backend does where the program's own thread traps
      }
    });
    expect(error?.message).toMatch(/a worker thread failed: RuntimeError: memory access out of bounds/);
    expect(ramp(runtime, 5003)).toEqual(expected);
    await untilThreads(runtime, 2);
    expect(ramp(runtime, 5003)).toEqual(expected);
  });

  it("that was only slow keeps what it writes to for itself until it has ended", async () => {
    // a task may end just when the job is given up: then nobody has to wait, and another runtime is tried
    const slow = async (): Promise<{ runtime: WasmRuntime; output: number }> => {
      for (let turn = 0; turn < 20; turn++) {
        const runtime = await runtimeWith(3);
        const output = runtime.allocator.allocate(4096);
        runtime.pool.stallMilliseconds = 0;
        const error = failure(() => multiplyLong(runtime, { y: output }));
        expect(error?.message).toMatch(/has not answered for \d+ ms/);
        if (error?.message.endsWith("await before the next operation")) return { runtime, output };
      }
      throw new Error("no worker was slow in 20 runtimes");
    };
    const expected = ramp(await runtimeWith(1), 5003);
    const { runtime, output } = await slow();
    const { pool, allocator, memory } = runtime;
    expect(() => ramp(runtime, 8)).toThrow(/may still write/);
    allocator.release(output);
    expect(allocator.allocate(4096)).not.toBe(output);
    pool.stallMilliseconds = 20_000;
    await untilThreads(runtime, 3);
    expect(allocator.isHolding).toBe(false);
    expect(Number(new BigInt64Array(memory.buffer, 64, 1)[0] >> 20n)).toBe(0); // nothing was left to take
    expect(ramp(runtime, 5003)).toEqual(expected);
  });

  it("that traps is reported once the other workers have ended their tasks", async () => {
    const runtime = await runtimeWith(3);
    const expected = ramp(runtime, 5003);
    multiplyLong(runtime); // the memory has grown
    const done = new Int32Array(runtime.memory.buffer, 192, 1);
    let after = -1;
    const error = failure((attempt) => {
      const rows = 24 + 4 * (attempt % 3);
      try {
        multiplyLong(runtime, { rows, y: runtime.memory.buffer.byteLength - (rows - 4) * 4 });
      } finally {
        runtime.pool.endJob(); // what the backend does where the program's own thread traps
        after = Atomics.load(done, 0);
      }
    });
    expect(error?.message).toMatch(/a worker thread failed/);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(Atomics.load(done, 0)).toBe(after);
    await untilThreads(runtime, 3);
    expect(ramp(runtime, 5003)).toEqual(expected);
  });

  it("that dies while it has nothing to do is replaced", async () => {
    const runtime = await runtimeWith(3);
    const expected = ramp(runtime, 5003);
    const { workers } = runtime.pool as unknown as { workers: { handle: { terminate(): Promise<void> } }[] };
    await workers[1].handle.terminate();
    // a browser tells nobody that a worker has ended: the others go on without it
    for (let i = 0; i < 20; i++) expect(ramp(runtime, 5003)).toEqual(expected);
    if (isNode) {
      await untilThreads(runtime, 3);
      expect(ramp(runtime, 5003)).toEqual(expected);
    }
  });
});

describe("without shared memory or workers", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it.each([
    ["shared memory is refused", () => vi.stubGlobal("SharedArrayBuffer", undefined)],
    ["the page is not isolated", () => vi.stubGlobal("crossOriginIsolated", false)],
    [
      "a shared memory cannot be made",
      () => {
        const { Memory } = WebAssembly;
        vi.stubGlobal("WebAssembly", {
          ...Object.fromEntries(
            Object.getOwnPropertyNames(WebAssembly).map((name) => [name, Reflect.get(WebAssembly, name)]),
          ),
          Memory: function memory(descriptor: WebAssembly.MemoryDescriptor) {
            if (descriptor.shared) throw new RangeError("could not allocate memory");
            return new Memory(descriptor);
          },
        });
      },
    ],
  ])("where %s one thread computes the same on memory of its own", async (_, refuse) => {
    const expected = ramp(await runtimeWith(1), 5003);
    refuse();
    const runtime = await runtimeWith(4);
    expect(runtime.shared).toBe(false);
    expect(runtime.pool.threads).toBe(1);
    expect(ramp(runtime, 5003)).toEqual(expected);
    const { buffer } = runtime.memory;
    runtime.allocator.release(runtime.allocator.allocate(2 ** 24));
    expect(buffer.byteLength).toBe(0); // detached by growth
    expect(ramp(runtime, 5003)).toEqual(expected);
  });
});
