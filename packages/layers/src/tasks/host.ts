import type { DeviceDescription } from "@ai/tensor";
import type { TaskProgressListener } from "./progress.js";
import type { StreamedOf, TaskTypes } from "./types.js";

/** How a piece of work is ended and watched. */
export interface HostWork {
  readonly signal: AbortSignal | undefined;
  readonly onProgress: TaskProgressListener | undefined;
}

/** A call, its options complete. */
export interface HostCall<Types extends TaskTypes> {
  readonly options: Required<Types["options"]>;
  readonly batchSize: number;
}

/** Where a loaded task lives: in this thread or in a worker. Inputs and options are checked already. */
export interface TaskHost<Types extends TaskTypes> {
  readonly info: Types["info"];
  readonly device: DeviceDescription;
  readonly unsupported: Readonly<Record<string, string | undefined>>;
  /** Whether the model has a stream of its own. */
  readonly hasStream: boolean;
  call(inputs: readonly Types["input"][], call: HostCall<Types>, work: HostWork): Promise<Types["result"][]>;
  stream(
    inputs: AsyncIterator<Types["input"]>,
    call: HostCall<Types>,
    work: HostWork,
  ): AsyncGenerator<StreamedOf<Types>, void, undefined>;
  explain(
    asked: { readonly input: Types["input"]; readonly target: Types["target"] },
    options: Required<Types["explainOptions"]>,
    work: HostWork,
  ): Promise<Types["explanation"]>;
  method(name: string, argument: unknown, work: HostWork): Promise<unknown>;
  dispose(): Promise<void>;
}
