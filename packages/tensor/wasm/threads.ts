// Jobs that several threads share. The thread that runs the program publishes a job and takes part in it; workers take
// tasks by one atomic addition. Nobody waits for a worker that holds no task, so a late one delays nothing.
import { CONTROL, divideUp } from "./layout";

// Each word has a cache line of its own; src/backends/wasm/threads.ts has the same numbers.
/** Job number (24 bits), number of tasks (20 bits) and the next task (20 bits) in one word: a stale one is harmless. */
const TICKET: usize = CONTROL;
/** Number of the last job; what workers watch and sleep on. */
const EPOCH: usize = CONTROL + 64;
/** Tasks of the job that have ended. */
const DONE: usize = CONTROL + 128;
/** Workers that sleep. */
const SLEEPERS: usize = CONTROL + 192;
/** Not 0 once a worker has trapped. */
const FAILED: usize = CONTROL + 256;
/** Which workers may take part: raised when they are replaced, so that one that lingers never joins those that follow. */
const GENERATION: usize = CONTROL + 320;
/** Threads that compute, the program's own included. */
const THREADS: usize = CONTROL + 384;
/** Nanoseconds of work (f32) below which a job stays on one thread, and below which sleepers are not woken. */
const SERIAL_BELOW: usize = CONTROL + 448;
const WAKE_ABOVE: usize = CONTROL + 452;
// The job: table index of its body, elements, and elements a task.
const BODY: usize = CONTROL + 512;
const COUNT: usize = CONTROL + 516;
const CHUNK: usize = CONTROL + 520;
/** Where {@link setArgument} puts a job's arguments: 64 words. */
const ARGUMENTS: usize = CONTROL + 576;

/** Tasks a thread, so that a thread that is held up leaves its share to the others. */
const TASKS_PER_THREAD: i32 = 4;
const TASK_MASK: i32 = 0xfffff;
/** Fewer than the 20 bits hold: each thread that finds no task left has still raised the next one's number by one. */
const MOST_TASKS: i32 = TASK_MASK - 4096;
/** Turns of the waiting loop between two looks at the clock. */
const TURNS: i32 = 100000;

/** Looks at the clock and throws in JavaScript when a job has stood still for too long, or when a worker has failed. */
// @ts-ignore: decorator
@external("env", "watch")
declare function watch(): void;

/** Sets word `index` (0 to 63) of the job that is being prepared: a count or an address. */
// @ts-ignore: decorator
@inline
export function setArgument(index: i32, value: usize): void {
  store<usize>(ARGUMENTS + (<usize>index << 2), value);
}

// @ts-ignore: decorator
@inline
export function setFloatArgument(index: i32, value: f32): void {
  store<f32>(ARGUMENTS + (<usize>index << 2), value);
}

/** A count that was set with {@link setArgument}. */
// @ts-ignore: decorator
@inline
export function argument(index: i32): i32 {
  return load<i32>(ARGUMENTS + (<usize>index << 2));
}

/** An address that was set with {@link setArgument}. */
// @ts-ignore: decorator
@inline
export function addressArgument(index: i32): usize {
  return load<usize>(ARGUMENTS + (<usize>index << 2));
}

// @ts-ignore: decorator
@inline
export function floatArgument(index: i32): f32 {
  return load<f32>(ARGUMENTS + (<usize>index << 2));
}

/** Threads that compute. */
// @ts-ignore: decorator
@inline
export function threads(): i32 {
  return load<i32>(THREADS);
}

let thread: i32 = 0;

/** Number of this thread: 0 for the program's own. */
// @ts-ignore: decorator
@inline
export function threadIndex(): i32 {
  return thread;
}

/** Nanoseconds of work that sleeping workers have missed. */
let missed: f32 = 0;

/** Threads that a job of this many nanoseconds is worth: 1, or all of them. */
export function usefulThreads(nanoseconds: f32): i32 {
  const all = load<i32>(THREADS);
  if (all <= 1 || nanoseconds < load<f32>(SERIAL_BELOW)) return 1;
  // A worker that sleeps starts some 50 to 90 µs after it is woken: not worth it for one small job, but for a row of them.
  if (atomic.load<i32>(SLEEPERS) >= all - 1 && nanoseconds + missed < load<f32>(WAKE_ABOVE)) {
    missed += nanoseconds;
    return 1;
  }
  return all;
}

/**
 * Runs `body(from, to)` over `[0, count)`, cut between the threads at multiples of `grain`. What a body computes for an
 * element must not depend on the cut. Bodies read their arguments with {@link argument}; they start no job themselves.
 * @param nanoseconds Rough time of one element on one thread; decides whether the job is worth sharing.
 */
export function forRange(body: (from: i32, to: i32) => void, count: i32, grain: i32, nanoseconds: f32): void {
  const cost = <f32>count * nanoseconds;
  const useful = count > grain ? usefulThreads(cost) : 1;
  if (useful == 1) {
    if (count > 0) body(0, count);
    return;
  }
  // no task below about 2 µs, unless the thresholds were lowered
  const worthwhile = <i32>min<f32>(cost * (1.0 / 2000.0), 1000000.0);
  let tasks = max(useful, min(useful * TASKS_PER_THREAD, worthwhile));
  const chunk = divideUp(divideUp(count, tasks), grain) * grain;
  share(body.index, count, chunk, cost);
}

/** Runs `body(task, task + 1)` for each of `count` tasks that differ in length; `nanoseconds` is the time of all of them. */
export function forTasks(body: (from: i32, to: i32) => void, count: i32, nanoseconds: f32): void {
  if (count > 1 && count <= MOST_TASKS && usefulThreads(nanoseconds) > 1) share(body.index, count, 1, nanoseconds);
  else for (let task = 0; task < count; task++) body(task, task + 1);
}

function share(body: i32, count: i32, chunk: i32, cost: f32): void {
  const tasks = divideUp(count, chunk);
  store<i32>(BODY, body);
  store<i32>(COUNT, count);
  store<i32>(CHUNK, chunk);
  atomic.store<i32>(DONE, 0);
  const epoch = (load<i32>(EPOCH) + 1) & 0x7fffff;
  atomic.store<i64>(TICKET, (<i64>epoch << 40) | (<i64>tasks << 20));
  atomic.store<i32>(EPOCH, epoch);
  if (atomic.load<i32>(SLEEPERS) > 0) {
    missed += cost;
    if (missed >= load<f32>(WAKE_ABOVE)) {
      missed = 0;
      atomic.notify(EPOCH, -1);
    }
  }
  takeTasks();
  let turns = 0;
  while (atomic.load<i32>(DONE) < tasks) {
    if (++turns >= TURNS || atomic.load<i32>(FAILED) != 0) {
      turns = 0;
      watch();
    }
  }
}

/** Takes tasks of the current job until none is left. */
function takeTasks(): void {
  while (true) {
    const ticket = atomic.add<i64>(TICKET, 1);
    const task = <i32>ticket & TASK_MASK,
      tasks = <i32>(ticket >> 20) & TASK_MASK;
    if (task >= tasks) return;
    const chunk = load<i32>(CHUNK),
      from = task * chunk;
    call_indirect<void>(load<i32>(BODY), from, min(from + chunk, load<i32>(COUNT)));
    atomic.add<i32>(DONE, 1);
  }
}

/**
 * The life of a worker: takes tasks, spins for `spins` turns after the last one, then sleeps until a job wakes it. Returns
 * when workers of another generation have taken its place.
 */
export function workerLoop(index: i32, spins: i32, generation: i32): void {
  thread = index;
  let seen = atomic.load<i32>(EPOCH);
  while (atomic.load<i32>(GENERATION) == generation) {
    takeTasks();
    let turns = spins,
      epoch = seen;
    while (turns > 0) {
      epoch = atomic.load<i32>(EPOCH);
      if (epoch != seen) break;
      turns--;
    }
    if (epoch == seen && atomic.load<i32>(GENERATION) == generation) {
      atomic.add<i32>(SLEEPERS, 1);
      atomic.wait<i32>(EPOCH, seen, -1);
      atomic.sub<i32>(SLEEPERS, 1);
      epoch = atomic.load<i32>(EPOCH);
    }
    seen = epoch;
  }
}
