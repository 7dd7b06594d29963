import { keep, read, type Tensor, type TypedArray } from "@ai/tensor";

/**
 * Reads small tensors without stopping the work on the device: values arrive later, in the order in which they were
 * given. The tensors belong to the reader.
 */
export class ValueReader {
  /** One promise a push that is not done, in order; none of them rejects. */
  readonly #waiting: Promise<void>[] = [];
  #failure: { readonly error: unknown } | undefined;

  /** Tensors that are still on their way. */
  get pending(): number {
    return this.#waiting.length;
  }

  /** Starts reading. @param tensors Freed once read. @param consume Gets their values; what it throws is thrown by {@link drain}. */
  push(tensors: readonly Tensor[], consume: (...values: TypedArray[]) => void): void {
    for (const tensor of tensors) keep(tensor);
    const values = Promise.all(tensors.map(read)).finally(() => {
      for (const tensor of tensors) tensor.dispose();
    });
    const before = this.#waiting.at(-1);
    const finish = async (): Promise<void> => {
      try {
        const arrived = await values;
        await before;
        if (this.#failure === undefined) consume(...arrived);
      } catch (error) {
        await before;
        this.#failure ??= { error };
      } finally {
        this.#waiting.shift();
      }
    };
    this.#waiting.push(finish());
  }

  /** Waits until at most `limit` pushes are on their way: the device does not fall behind without bound. */
  async atMost(limit: number): Promise<void> {
    while (this.#waiting.length > limit) await this.#waiting[0];
  }

  /** Waits for everything given so far. @throws the first error of a read or of a consumer, once. */
  async drain(): Promise<void> {
    await this.atMost(0);
    this.throwFailure();
  }

  /** @throws the first error that is known by now, once. */
  throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
  }
}
