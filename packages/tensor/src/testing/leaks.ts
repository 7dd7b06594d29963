import { holdUncollected } from "../collected.js";
import { memory } from "../memory.js";

/**
 * Fails when `fn` leaves tensors behind. It runs once before counting, so that caches which are meant to stay do not count.
 * `fn` must dispose what it was given. What only the garbage collector would free counts as left.
 */
export async function expectNoLeak(fn: () => unknown): Promise<void> {
  await fn();
  holdUncollected(true);
  const before = memory();
  try {
    await fn();
  } finally {
    holdUncollected(false);
  }
  const after = memory();
  if (after.numTensors !== before.numTensors || after.numBytes !== before.numBytes)
    throw new Error(
      `leak: ${after.numTensors - before.numTensors} tensors, ${after.numBytes - before.numBytes} bytes are left`,
    );
}
