/** What a task is doing, and how far it is. */
export interface TaskProgress {
  /**
   * `device`: a device was chosen, `message` says which and why. `download`: bytes of a file. `load`: tensors of the
   * weights. `work`: inputs of a call, or steps of an explanation.
   */
  readonly phase: "device" | "download" | "load" | "work";
  /** One sentence for people. */
  readonly message: string;
  /** Of a download: the file. */
  readonly file?: string;
  /** Done so far: bytes, tensors or inputs; never less than the time before in one phase (of one file). */
  readonly done: number;
  /** Of how many; absent where nobody knows. */
  readonly total?: number;
  /** Of a download: at this rate. */
  readonly bytesPerSecond?: number;
  /** Of a download: at this rate; absent until it is known. */
  readonly secondsLeft?: number;
}

/** Is told what a task is doing. An error that it throws ends the work. */
export type TaskProgressListener = (progress: TaskProgress) => void;
