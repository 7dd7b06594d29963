import {
  type KernelBackend,
  type NamedAttrMap,
  type Tensor,
  type TensorInfo,
  engine as tfEngine,
} from "@tensorflow/tfjs-core";

/** A node of tfjs's tape: the saved tensors must be freed when a backward pass is given up. */
interface TapeNode {
  saved?: Tensor[];
}

/** The parts of tfjs's engine that its public types hide and that this library reads. */
export interface Engine {
  readonly backendName: string;
  readonly backend: KernelBackend;
  readonly registry: Record<string, KernelBackend>;
  readonly ENV: { getBool(flag: string): boolean };
  state: {
    activeTape: TapeNode[] | null;
    gradientDepth: number;
    kernelDepth: number;
    profiling: boolean;
    numTensors: number;
    numBytes: number;
    tensorInfo: WeakMap<object, { backend: KernelBackend }>;
    activeScope: { readonly track: readonly Tensor[] } | null;
  };
  runKernel(name: string, inputs: object, attrs: NamedAttrMap): Tensor | Tensor[];
  gradients(
    fn: () => Tensor,
    inputs: Tensor[],
    seed: Tensor | null,
    allowNoGradients: boolean,
  ): { value: Tensor; grads: (Tensor | undefined)[] };
  tidy<T>(fn: () => T): T;
  keep<T extends Tensor>(tensor: T): T;
  /** The id that no tensor has yet: those made before have smaller ones, those made afterwards larger ones. */
  nextTensorId(): number;
  startScope(name?: string): void;
  endScope(result?: unknown): void;
  makeTensorFromTensorInfo(info: TensorInfo): Tensor;
}

/** tfjs's process-wide engine. */
export function engine(): Engine {
  return tfEngine() as unknown as Engine;
}

/** Whether ops are being recorded for a gradient right now. */
export function isRecording(): boolean {
  const { state } = engine();
  return state.gradientDepth > 0 && state.kernelDepth === 0;
}

/** Runs `fn` with recording off. */
export function unrecorded<T>(fn: () => T): T {
  const { state } = engine();
  state.kernelDepth++;
  try {
    return fn();
  } finally {
    state.kernelDepth--;
  }
}
