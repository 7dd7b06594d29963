/** How long other work may wait. */
const BREATH_MILLISECONDS = 30;

/**
 * For the end of each turn of a long loop: now and then, by the clock, it lets other work go ahead.
 * @returns a function that says whether it did, and throws the reason of `signal` once that is aborted.
 */
export function breathing(signal: AbortSignal): () => Promise<boolean> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < BREATH_MILLISECONDS) return false;
    await new Promise((resolve) => setTimeout(resolve));
    signal.throwIfAborted();
    last = performance.now();
    return true;
  };
}
