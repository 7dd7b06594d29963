/** GPU errors that nobody awaited since the last call. */
export async function takeUncapturedErrors(): Promise<string[]> {
  return [];
}
