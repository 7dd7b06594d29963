import { type DeviceDescription, type DeviceOptions, InputError } from "@ai/tensor";
import { breathe } from "../training/event-loop.js";
import { onDevice } from "./device-lane.js";
import type { HostCall, HostWork, TaskHost } from "./host.js";
import { type LinkedSignal, linkSignals, orAborted } from "./signals.js";
import { atInput, disposedError } from "./task-errors.js";
import { Turns } from "./turns.js";
import type { StreamedOf, TaskDefinition, TaskRunner, TaskTypes, WorkContext } from "./types.js";

/** A task whose model lives in this thread. */
export class LocalHost<Types extends TaskTypes> implements TaskHost<Types> {
  readonly device: DeviceDescription;
  readonly #definition: TaskDefinition<Types>;
  readonly #runner: TaskRunner<Types>;
  readonly #deviceOptions: DeviceOptions | undefined;
  readonly #turns = new Turns();
  readonly #ending = new AbortController();
  readonly #working = new Set<Promise<unknown>>();
  #disposing: Promise<void> | undefined;

  constructor(
    definition: TaskDefinition<Types>,
    runner: TaskRunner<Types>,
    on: { readonly device: DeviceDescription; readonly deviceOptions: DeviceOptions | undefined },
  ) {
    this.#definition = definition;
    this.#runner = runner;
    this.device = on.device;
    this.#deviceOptions = on.deviceOptions;
  }

  get info(): Types["info"] {
    return this.#runner.info;
  }

  get unsupported(): Readonly<Record<string, string | undefined>> {
    return this.#runner.unsupported ?? {};
  }

  get hasStream(): boolean {
    return this.#runner.stream !== undefined;
  }

  async call(
    inputs: readonly Types["input"][],
    { options, batchSize }: HostCall<Types>,
    work: HostWork,
  ): Promise<Types["result"][]> {
    return this.#work(work, async (context, link) => {
      const prepare = (start: number): Promise<Types["prepared"][]> => {
        const batch = inputs.slice(start, start + batchSize);
        const prepared = Promise.all(
          batch.map(async (input, index) => {
            try {
              return await this.#runner.prepare(input, options, context);
            } catch (error) {
              throw inputs.length === 1 ? error : atInput(error, context.operation, start + index);
            }
          }),
        );
        prepared.catch(() => undefined); // it is awaited later, or never
        return prepared;
      };
      const results: Types["result"][] = [];
      let next = prepare(0);
      try {
        for (let start = 0; start < inputs.length; start += batchSize) {
          const batch = await next;
          if (start + batchSize < inputs.length) next = prepare(start + batchSize);
          const part = await this.#inTurn(() => this.#runner.run(batch, options, context), context);
          results.push(...part);
          context.progress(results.length, inputs.length);
          await breathe();
          context.signal.throwIfAborted();
        }
      } catch (error) {
        link.abort(error); // ends what is still being made ready
        await next.catch(() => undefined);
        throw error;
      }
      return results;
    });
  }

  async *stream(
    inputs: AsyncIterator<Types["input"]>,
    { options }: HostCall<Types>,
    work: HostWork,
  ): AsyncGenerator<StreamedOf<Types>, void, undefined> {
    const link = linkSignals(work.signal, this.#ending.signal);
    const runner = this.#runner;
    const source: AsyncIterable<Types["input"]> = {
      [Symbol.asyncIterator]: () => ({
        next: () => orAborted(Promise.resolve(inputs.next()), link.signal),
      }),
    };
    const context = this.#context(work, link, false);
    const streamed = runner.stream!(source, options, context)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await this.#tracked(streamed.next());
        link.signal.throwIfAborted();
        if (done === true) return;
        yield value;
      }
    } catch (error) {
      throw link.signal.aborted ? link.signal.reason : error;
    } finally {
      link.abort(undefined);
      link.unlink();
      await this.#tracked(Promise.resolve(streamed.return?.()).catch(() => undefined));
    }
  }

  async explain(
    { input, target }: { readonly input: Types["input"]; readonly target: Types["target"] },
    options: Required<Types["explainOptions"]>,
    work: HostWork,
  ): Promise<Types["explanation"]> {
    return this.#work(work, (context) => {
      if (this.#runner.explain === undefined)
        throw new InputError(
          `${context.operation}: expected a model whose answers can be explained, got one without; load another`,
        );
      return this.#inTurn(() => this.#runner.explain!(input, target, options, context), context);
    });
  }

  async method(name: string, argument: unknown, work: HostWork): Promise<unknown> {
    const methods = this.#runner.methods as
      | Readonly<Record<string, (argument: unknown, context: WorkContext) => unknown>>
      | undefined;
    return this.#work(work, (context) =>
      this.#inTurn(async () => methods?.[name](argument, context), context),
    );
  }

  dispose(): Promise<void> {
    this.#disposing ??= this.#end();
    return this.#disposing;
  }

  async #end(): Promise<void> {
    this.#ending.abort(disposedError(this.#definition.verb));
    // without anything on its way it is freed at once
    if (this.#working.size > 0) await Promise.allSettled([...this.#working]);
    this.#runner.dispose();
  }

  /** When the model has nothing else to do, and on its device. */
  #inTurn<Result>(work: () => Promise<Result>, { signal }: WorkContext): Promise<Result> {
    return this.#turns.run(
      () =>
        onDevice(this.device.device, this.#deviceOptions, () => {
          signal.throwIfAborted();
          return work();
        }),
      signal,
    );
  }

  #context({ onProgress }: HostWork, { signal }: LinkedSignal, isInTurn: boolean): WorkContext {
    const operation = this.#definition.verb;
    const context: WorkContext = {
      operation,
      signal,
      progress(done, total, message) {
        const said = message ?? `${operation}: ${done}${total === undefined ? "" : ` of ${total}`}`;
        onProgress?.({ phase: "work", message: said, done, ...(total === undefined ? {} : { total }) });
      },
      inTurn: async (work) => (isInTurn ? work() : this.#inTurn(async () => work(), context)),
    };
    return context;
  }

  /** `dispose` waits for it. */
  async #tracked<Result>(promise: Promise<Result>): Promise<Result> {
    this.#working.add(promise);
    try {
      return await promise;
    } finally {
      this.#working.delete(promise);
    }
  }

  async #work<Result>(
    work: HostWork,
    body: (context: WorkContext, link: LinkedSignal) => Promise<Result>,
  ): Promise<Result> {
    this.#ending.signal.throwIfAborted();
    work.signal?.throwIfAborted();
    const link = linkSignals(work.signal, this.#ending.signal);
    const ended = (): AbortSignal | undefined =>
      [work.signal, this.#ending.signal].find((signal) => signal?.aborted);
    const run = async (): Promise<Result> => {
      try {
        const result = await body(this.#context(work, link, true), link);
        ended()?.throwIfAborted();
        return result;
      } catch (error) {
        throw ended()?.reason ?? error;
      } finally {
        link.unlink();
      }
    };
    return this.#tracked(run());
  }
}
