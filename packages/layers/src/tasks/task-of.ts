import { InputError } from "@ai/tensor";
import type { HostCall, HostWork, TaskHost } from "./host.js";
import { parseOptions } from "./option-rules.js";
import type { TaskProgressListener } from "./progress.js";
import { orAborted } from "./signals.js";
import { atInput, disposedError } from "./task-errors.js";
import type {
  StreamedOf,
  Task,
  TaskCallOptions,
  TaskDefinition,
  TaskTypes,
  TaskWorkOptions,
} from "./types.js";

const DEFAULT_BATCH_SIZE = 8;
const WORK_OPTIONS = ["signal", "onProgress"] as const;

/** @throws InputError for a signal or listener that is none. */
export function assertWorkOptions(operation: string, { signal, onProgress }: TaskWorkOptions): void {
  if (signal !== undefined && typeof signal?.throwIfAborted !== "function")
    throw new InputError(`${operation}: expected signal as an AbortSignal, got ${typeof signal}`);
  if (onProgress !== undefined && typeof onProgress !== "function")
    throw new InputError(`${operation}: expected onProgress as a function, got ${typeof onProgress}`);
}

function workOf({ signal, onProgress }: TaskWorkOptions): HostWork {
  return { signal, onProgress };
}

/** The function that users call. */
export function taskOf<Types extends TaskTypes>(
  definition: TaskDefinition<Types>,
  host: TaskHost<Types>,
): Task<Types> {
  type Input = Types["input"];
  const { verb } = definition;
  let isDisposed = false;

  /** Everything that can be wrong is said before any work. */
  const begin = (operation: string): void => {
    if (isDisposed) throw disposedError(operation);
  };

  const callOf = (options: TaskCallOptions & Types["options"], batchSize: number): HostCall<Types> => {
    const parsed = parseOptions<Types["options"]>(verb, options, {
      rules: definition.options,
      common: [...WORK_OPTIONS, "batchSize"],
    });
    assertWorkOptions(verb, options);
    for (const [name, reason] of Object.entries(host.unsupported))
      if (reason !== undefined && (options as Record<string, unknown>)[name] !== undefined)
        throw new InputError(`${verb}: expected no ${name} with this model, got one; ${reason}`);
    const { batchSize: size = batchSize } = options;
    if (!Number.isInteger(size) || size < 1)
      throw new InputError(
        `${verb}: expected batchSize as a whole number of at least 1, got ${String(size)}`,
      );
    return { options: parsed, batchSize: size };
  };

  const answer = async (
    input: Input | readonly Input[],
    options: TaskCallOptions & Types["options"] = {},
  ): Promise<Types["result"] | Types["result"][]> => {
    begin(verb);
    const isBatch = Array.isArray(input);
    const inputs: readonly Input[] = isBatch ? input : [input];
    const call = callOf(options, definition.batchSize ?? DEFAULT_BATCH_SIZE);
    inputs.forEach((one, index) => {
      try {
        definition.checkInput(verb, one);
      } catch (error) {
        throw isBatch ? atInput(error, verb, index) : error;
      }
    });
    options.signal?.throwIfAborted();
    if (inputs.length === 0) return [];
    const results = await host.call(inputs, call, workOf(options));
    return isBatch ? results : results[0];
  };

  async function* stream(
    inputs: AsyncIterable<Input> | Iterable<Input>,
    options: TaskCallOptions & Types["options"] = {},
  ): AsyncGenerator<StreamedOf<Types>, void, undefined> {
    begin(verb);
    const call = callOf(options, 1);
    const source = checked(iteratorOf(verb, inputs), (input) => definition.checkInput(verb, input));
    options.signal?.throwIfAborted();
    if (host.hasStream) {
      try {
        yield* host.stream(source, call, workOf(options));
      } finally {
        endSource(source);
      }
    } else yield* streamBatches(host, source, call, workOf(options));
  }

  const explain = async (
    input: Input,
    target: Types["target"],
    options: TaskWorkOptions & Types["explainOptions"] = {},
  ): Promise<Types["explanation"]> => {
    begin(verb);
    const parsed = parseOptions<Types["explainOptions"]>(verb, options, {
      rules: definition.explainOptions,
      common: WORK_OPTIONS,
    });
    assertWorkOptions(verb, options);
    definition.checkInput(verb, input);
    options.signal?.throwIfAborted();
    return host.explain({ input, target }, parsed, workOf(options));
  };

  const methods = Object.fromEntries(
    (definition.methods ?? []).map((name) => [
      name,
      async (argument: unknown, options: TaskWorkOptions = {}): Promise<unknown> => {
        begin(name);
        parseOptions(name, options, { rules: {}, common: WORK_OPTIONS });
        assertWorkOptions(name, options);
        options.signal?.throwIfAborted();
        return host.method(name, argument, workOf(options));
      },
    ]),
  );

  return Object.assign(answer, {
    ...methods,
    stream,
    explain,
    info: host.info,
    device: host.device,
    dispose(): Promise<void> {
      isDisposed = true;
      return host.dispose();
    },
  }) as unknown as Task<Types>;
}

/** @throws InputError for what cannot be iterated. */
function iteratorOf<Input>(
  operation: string,
  inputs: AsyncIterable<Input> | Iterable<Input>,
): AsyncIterator<Input> | Iterator<Input> {
  const source = inputs as Partial<AsyncIterable<Input> & Iterable<Input>> | null | undefined;
  if (typeof source === "object" && typeof source?.[Symbol.asyncIterator] === "function")
    return source[Symbol.asyncIterator]!();
  if (typeof source === "object" && typeof source?.[Symbol.iterator] === "function")
    return source[Symbol.iterator]!();
  throw new InputError(
    `${operation}: expected a source to iterate over, such as an async generator or an array, got ${source === null ? "null" : typeof source}`,
  );
}

/** A source whose inputs are looked at as they come. */
function checked<Input>(
  source: AsyncIterator<Input> | Iterator<Input>,
  check: (input: Input) => void,
): AsyncIterator<Input> {
  return {
    async next() {
      const step = await source.next();
      if (step.done !== true) check(step.value);
      return step;
    },
    async return() {
      await source.return?.();
      return { done: true, value: undefined };
    },
  };
}

/** Tells the source that nobody wants more; one that still works on an input is not waited for. */
function endSource(source: AsyncIterator<unknown>): void {
  void Promise.resolve(source.return?.()).catch(() => undefined);
}

async function* streamBatches<Types extends TaskTypes>(
  host: TaskHost<Types>,
  source: AsyncIterator<Types["input"]>,
  call: HostCall<Types>,
  { signal, onProgress }: HostWork,
): AsyncGenerator<StreamedOf<Types>, void, undefined> {
  let done = 0;
  let hasEnded = false;
  try {
    while (!hasEnded) {
      const batch: Types["input"][] = [];
      while (batch.length < call.batchSize && !hasEnded) {
        const step = await orAborted(source.next(), signal);
        if (step.done === true) hasEnded = true;
        else batch.push(step.value);
      }
      if (batch.length === 0) return;
      const tell: TaskProgressListener = ({ message: _, ...progress }) =>
        onProgress?.({
          ...progress,
          message: `${done + progress.done} done`,
          done: done + progress.done,
          total: undefined,
        });
      const results = await host.call(batch, call, { signal, onProgress: onProgress && tell });
      done += batch.length;
      yield* results as StreamedOf<Types>[];
    }
  } finally {
    endSource(source);
  }
}
