/** How long training may keep other tasks of the program from running. */
const MAX_BLOCKED_MILLISECONDS = 50;

let last = 0;

/** Lets timers, input and abort signals through when they have waited long enough; costs nothing otherwise. */
export async function breathe(): Promise<void> {
  if (performance.now() - last < MAX_BLOCKED_MILLISECONDS) return;
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
  last = performance.now();
}
