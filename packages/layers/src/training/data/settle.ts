import { dispose } from "@ai/tensor";

/** Waits for every item; when one fails the others' tensors are freed. */
export async function settle<Item>(pending: readonly (Item | Promise<Item>)[]): Promise<Item[]> {
  if (!pending.some((item) => item instanceof Promise)) return pending as Item[];
  const results = await Promise.allSettled(pending);
  const failure = results.find((result) => result.status === "rejected");
  if (failure === undefined) return results.map((result) => (result as PromiseFulfilledResult<Item>).value);
  for (const result of results) if (result.status === "fulfilled") dispose(result.value);
  throw failure.reason;
}
