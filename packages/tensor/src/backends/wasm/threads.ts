import { DeviceError, KernelError } from "../../errors.js";

// Words of the job queue, in bytes from the start of the memory; wasm/threads.ts has the same numbers.
const CONTROL = 64;
const TICKET = CONTROL;
const EPOCH = CONTROL + 64;
const DONE = CONTROL + 128;
const SLEEPERS = CONTROL + 192;
const FAILED = CONTROL + 256;
const GENERATION = CONTROL + 320;
const THREADS = CONTROL + 384;
const SERIAL_BELOW = CONTROL + 448;
const WAKE_ABOVE = CONTROL + 452;
/** Where a worker leaves the text of its error: the length, then UTF-8. */
const MESSAGE = CONTROL + 832;
const MESSAGE_BYTES = 180;

/** Turns that an idle worker spins before it sleeps: about a millisecond, the JavaScript between two kernels. */
const SPINS = 300_000;
/** A job stays on one thread below this, and does not wake sleepers below that: nanoseconds of work. */
const DEFAULT_COSTS = { serialBelow: 10_000, wakeAbove: 200_000 };
/** A page may have no thread to spare for a worker's start. */
const START_MILLISECONDS = 10_000;
/** More threads than this gain nothing for the sizes of models that run on a CPU. */
const MOST_THREADS = 64;
const MOST_DEFAULT_THREADS = 8;
/** How long a worker may take to leave: between two tasks it looks whether it should. */
const LEAVE_MILLISECONDS = 2_000;
/** A browser does not say when a worker has ended; Chromium ends it by force two seconds after it was told to. */
const END_MILLISECONDS = 3_000;
/** Between two looks at the clock: more means that the whole program was held up, by a debugger or by sleep. */
const HELD_UP_MILLISECONDS = 1_000;
/** A pool that keeps losing workers stays on one thread. */
const MOST_RESTARTS = 3;

/**
 * What a worker runs: nothing but the module and the memory it is given. Text, because a function's source is not safe
 * from what bundlers add to it.
 */
const WORKER_BODY = `({ module, memory, index, scratch, spins, generation }, post) => {
  try {
    const kernels = new WebAssembly.Instance(module, { env: { memory, watch() {} } }).exports;
    kernels.setScratch(scratch);
    post("ready");
    kernels.workerLoop(index, spins, generation);
  } catch (error) {
    const text = new TextEncoder().encode(String(error)).slice(0, ${MESSAGE_BYTES});
    new Uint8Array(memory.buffer, ${MESSAGE + 4}, text.length).set(text);
    const words = new Int32Array(memory.buffer);
    words[${MESSAGE >> 2}] = text.length;
    Atomics.add(words, ${FAILED >> 2}, 1);
  }
  post("left");
}`;

/** A Node worker or a browser's. */
interface WorkerHandle {
  terminate(): Promise<void>;
}

interface WorkerEvents {
  readonly ready: () => void;
  /** It takes no more tasks and touches the memory no more. */
  readonly left: () => void;
  readonly lost: (reason: string) => void;
}

const isNode = (): boolean => typeof process !== "undefined" && process.versions?.node !== undefined;

async function startWorker(data: object, { ready, left, lost }: WorkerEvents): Promise<WorkerHandle> {
  if (isNode()) {
    const { Worker } = await import(/* webpackIgnore: true */ "node:worker_threads");
    // not a require(): tools would take the bundle for CommonJS
    const source = `const { parentPort, workerData } = process.getBuiltinModule("node:worker_threads"); (${WORKER_BODY})(workerData, (message) => parentPort.postMessage(message));`;
    // no inherited flags: a loader or an inspector of the program would start in each worker
    const worker = new Worker(source, { eval: true, workerData: data, execArgv: [], env: {} });
    worker.on("message", (message) => {
      if (message === "left") return left();
      worker.unref(); // an idle pool does not keep the program alive
      ready();
    });
    worker.once("error", (error) => lost(String(error)));
    worker.once("exit", (code) => lost(`exit code ${code}`));
    return {
      async terminate() {
        await worker.terminate();
      },
    };
  }
  const source = `onmessage = ({ data }) => (${WORKER_BODY})(data, (message) => postMessage(message));`;
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    const worker = new Worker(url);
    worker.onmessage = ({ data: message }) => (message === "left" ? left() : ready());
    worker.onerror = (event) => lost(event.message || "the worker did not start");
    worker.postMessage(data);
    return {
      async terminate() {
        worker.terminate();
      },
    };
  } finally {
    // the worker has its own copy once it has started
    setTimeout(() => URL.revokeObjectURL(url), START_MILLISECONDS);
  }
}

/** Threads that are used when nobody says how many: the cores, at most 8. */
export async function defaultThreads(): Promise<number> {
  if (!isNode()) return Math.min(MOST_DEFAULT_THREADS, globalThis.navigator?.hardwareConcurrency ?? 1);
  const { availableParallelism } = await import(/* webpackIgnore: true */ "node:os");
  return Math.min(MOST_DEFAULT_THREADS, availableParallelism());
}

/** @throws DeviceError unless `count` is a number of threads. */
export function assertThreads(operation: string, count: unknown): asserts count is number {
  if (!Number.isInteger(count) || (count as number) < 1 || (count as number) > MOST_THREADS)
    throw new DeviceError(
      `${operation}: expected threads to be a whole number from 1 to ${MOST_THREADS}, got ${String(count)}; leave it out to use the cores there are`,
    );
}

/** Whether `event` happens in time. */
async function within(event: Promise<void>, milliseconds: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  const inTime = await Promise.race([event.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}

/** What the pool needs of the runtime. */
export interface PoolHost {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Whether the memory is shared: without it there is one thread. */
  readonly shared: boolean;
  allocateScratch(): number;
  releaseScratch(address: number): void;
  /** A worker may be alive in a job that was given up: no kernel may run, and no memory be used again, until `resume`. */
  suspend(): void;
  resume(): void;
}

interface PoolWorker {
  readonly handle: WorkerHandle;
  readonly scratch: number;
  /** Settles when the worker has left or died. */
  readonly left: Promise<void>;
}

/** The workers that take part in jobs, and the watch over them. */
export class WorkerPool {
  /** Milliseconds that a job may stand still before it is given up: no task of ours takes a tenth of it. */
  stallMilliseconds = 20_000;
  private workers: PoolWorker[] = [];
  private changing: Promise<unknown> = Promise.resolve();
  private restarts = 0;
  private stalledAt = 0;
  private watchedAt = 0;
  private stalledWith = "";
  /** Raised whenever the set of workers changes on purpose, so that their end is no surprise. */
  private generation = 0;

  constructor(private readonly host: PoolHost) {
    const { words } = this;
    words[THREADS >> 2] = 1;
    this.setCosts(DEFAULT_COSTS);
  }

  private get words(): Int32Array {
    return new Int32Array(this.host.memory.buffer, 0, 1024);
  }

  /** Threads that compute now. */
  get threads(): number {
    return this.words[THREADS >> 2];
  }

  /** What {@link setCosts} set last. */
  get costs(): { serialBelow: number; wakeAbove: number } {
    const floats = new Float32Array(this.host.memory.buffer, 0, 1024);
    return { serialBelow: floats[SERIAL_BELOW >> 2], wakeAbove: floats[WAKE_ABOVE >> 2] };
  }

  /** Sets from which amount of work on, in nanoseconds, a job is shared and sleeping workers are woken. */
  setCosts({ serialBelow, wakeAbove }: { serialBelow: number; wakeAbove: number }): void {
    const floats = new Float32Array(this.host.memory.buffer, 0, 1024);
    floats[SERIAL_BELOW >> 2] = serialBelow;
    floats[WAKE_ABOVE >> 2] = wakeAbove;
  }

  /**
   * Starts or stops workers until `count` threads compute. Without shared memory, and where workers cannot start, fewer do.
   * @returns the threads that compute now
   */
  resize(count: number): Promise<number> {
    const change = this.changing.then(async () => {
      const target = this.host.shared ? count : 1;
      if (target === this.threads && target === this.workers.length + 1) return target;
      await this.stop();
      return target === 1 ? 1 : await this.start(target);
    });
    this.changing = change.catch(() => undefined);
    return change;
  }

  /** Called from the kernels' waiting loop. @throws KernelError when a worker failed or a job stands still. */
  watch(): void {
    const { words } = this;
    if (Atomics.load(words, FAILED >> 2) !== 0) {
      const bytes = new Uint8Array(this.host.memory.buffer).slice(
        MESSAGE + 4,
        MESSAGE + 4 + words[MESSAGE >> 2],
      );
      this.giveUp(`a worker thread failed: ${new TextDecoder().decode(bytes)}`, this.stallMilliseconds);
    }
    const progress = `${Atomics.load(words, EPOCH >> 2)}/${Atomics.load(words, DONE >> 2)}`;
    const now = performance.now();
    const isHeldUp = now - this.watchedAt > HELD_UP_MILLISECONDS;
    this.watchedAt = now;
    if (isHeldUp || progress !== this.stalledWith) {
      this.stalledWith = progress;
      this.stalledAt = now;
    } else if (now - this.stalledAt > this.stallMilliseconds)
      this.giveUp(`a worker thread has not answered for ${Math.round(now - this.stalledAt)} ms`, 0);
  }

  /** Called after a kernel threw: workers may be in tasks of its job, whose memory is about to be freed. */
  endJob(): void {
    if (this.threads === 1) return;
    // a thread that threw in its own task never ends it
    const isEnded = this.closeJob(1, this.stallMilliseconds);
    if (!isEnded) this.host.suspend();
    if (!isEnded || Atomics.load(this.words, FAILED >> 2) !== 0) this.restart();
  }

  /**
   * Has no thread take another task of the current job and waits for those that were taken.
   * @param ownTasks Tasks that this thread holds and will not end.
   * @param patience Milliseconds that may pass without a task's end.
   * @returns whether all have ended, so that no worker reads or writes for the job any more
   */
  private closeJob(ownTasks: number, patience: number): boolean {
    const { words } = this;
    const tickets = new BigInt64Array(this.host.memory.buffer, 0, 512);
    const ticket = Atomics.exchange(tickets, TICKET >> 3, 0n);
    const taken = Math.min(Number(ticket & 0xfffffn), Number((ticket >> 20n) & 0xfffffn));
    // a worker that failed held one task
    const ended = () => Atomics.load(words, DONE >> 2) + Atomics.load(words, FAILED >> 2) + ownTasks;
    let last = ended();
    let since = performance.now();
    while (last < taken) {
      const now = performance.now();
      const current = ended();
      if (current !== last) since = now;
      else if (now - since > patience) return false;
      last = current;
    }
    return true;
  }

  private giveUp(reason: string, patience: number): never {
    // from here on the program's thread computes alone; the workers are replaced when it next waits
    this.words[THREADS >> 2] = 1;
    this.stalledWith = "";
    const isEnded = this.closeJob(0, patience);
    if (!isEnded) this.host.suspend();
    this.restart();
    throw new KernelError(
      `wasm: expected every thread to finish its part, got none: ${reason}; this result is lost, ${isEnded ? "the next ones are computed on one thread until new workers run" : "and nothing is computed until that thread has ended: await before the next operation"}`,
    );
  }

  /** Replaces the workers after one was lost. */
  private restart(): void {
    const count = this.workers.length + 1;
    this.words[THREADS >> 2] = 1;
    this.generation++;
    const again = this.restarts++ < MOST_RESTARTS;
    this.changing = this.changing
      .then(async () => {
        try {
          await this.stop();
        } finally {
          this.host.resume();
        }
        if (again) await this.start(count);
      })
      .catch(() => undefined);
  }

  private async start(count: number): Promise<number> {
    const { words } = this;
    const { module, memory } = this.host;
    words[FAILED >> 2] = 0;
    words[SLEEPERS >> 2] = 0;
    const generation = ++this.generation;
    Atomics.store(words, GENERATION >> 2, generation);
    const starting = Array.from({ length: count - 1 }, (_, position) => {
      const scratch = this.host.allocateScratch();
      let handle: WorkerHandle | undefined;
      let leave: () => void = () => undefined;
      const left = new Promise<void>((resolve) => {
        leave = resolve;
      });
      const started = new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(false), START_MILLISECONDS);
        const settle = (isReady: boolean) => {
          clearTimeout(timer);
          resolve(isReady);
        };
        const data = { module, memory, index: position + 1, scratch, spins: SPINS, generation };
        startWorker(data, {
          ready: () => settle(true),
          left: leave,
          lost: () => {
            leave();
            settle(false);
            if (generation === this.generation && this.threads > 1) this.restart();
          },
        }).then(
          (worker) => {
            handle = worker;
          },
          () => settle(false),
        );
      });
      return started.then((isReady) => ({ isReady, handle, scratch, left }));
    });
    let refused = false;
    for (const { isReady, handle, scratch, left } of await Promise.all(starting)) {
      if (handle !== undefined) this.workers.push({ handle, scratch, left });
      else this.host.releaseScratch(scratch);
      refused ||= !isReady;
    }
    // a policy that forbids workers forbids all of them: one thread is the fallback
    if (refused) await this.stop();
    else if (generation === this.generation) words[THREADS >> 2] = count;
    return this.threads;
  }

  private async stop(): Promise<void> {
    const { words, workers } = this;
    this.generation++;
    this.workers = [];
    words[THREADS >> 2] = 1;
    Atomics.store(words, GENERATION >> 2, this.generation);
    // raised as for a job, so that a worker that is about to sleep does not
    Atomics.add(words, EPOCH >> 2, 1);
    Atomics.notify(words, EPOCH >> 2);
    await Promise.all(
      workers.map(async ({ handle, scratch, left }) => {
        // a browser ends a worker when it likes: until it has left, its working memory is its own
        const hasLeft = await within(left, LEAVE_MILLISECONDS);
        await handle.terminate();
        if (hasLeft || isNode()) this.host.releaseScratch(scratch);
        else await within(left, END_MILLISECONDS);
      }),
    );
  }
}
