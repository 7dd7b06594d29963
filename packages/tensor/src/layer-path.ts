const stack: string[] = [];

/** Runs `fn` with a layer's name on the path that errors and {@link detectAnomaly} report. */
export function withinLayer<T>(name: string, fn: () => T): T {
  stack.push(name);
  try {
    return fn();
  } finally {
    stack.pop();
  }
}

/** Names of the layers being called, outermost first, joined with dots; empty outside of layers. */
export function currentLayer(): string {
  return stack.join(".");
}
