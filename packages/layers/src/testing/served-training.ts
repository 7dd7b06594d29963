import {
  type DeviceName,
  InputError,
  memory,
  read,
  type Tensor,
  tensor,
  tidy,
  useDevice,
  zeros,
} from "@ai/tensor";
import {
  DataLoader,
  serveTraining,
  type TrainerOptions,
  type TrainingCallback,
  type TrainingContext,
} from "../training/index.js";
import { makeRun, type Pair, type Perceptron } from "./tiny-run.js";

/** What the tests of `connectTraining` pass to the worker. */
export interface TinyTrainingOptions {
  readonly device: DeviceName;
  /** Of checkpoints; none are saved without. */
  readonly folder?: string;
  /** The run waits after this step until `release` is called. */
  readonly holdAfter?: number;
  readonly fails?: "making" | "layer" | "tensor";
  /** Data that never comes. */
  readonly stuck?: boolean;
}

/** Methods of the worker. */
export type TinyTrainingMethods = {
  classify(points: number[][]): Promise<number[]>;
  broken(argument: null): never;
  tensors(argument: null): number;
  release(argument: null): void;
};

/** What the tests of `connectTraining` train: the tiny run, with all that has a state. */
export async function serveTinyTraining(): Promise<void> {
  await serveTraining(async ({ options, send }: TrainingContext<TinyTrainingOptions>) => {
    const { device, folder, holdAfter, fails, stuck = false } = options;
    send({ text: "getting ready" });
    if (fails === "making") throw new InputError("data: expected a file, got none");
    await useDevice(device);
    const wrong: Partial<TrainerOptions<Pair, Perceptron>> = {
      computeLoss: (_, model) => model.call(zeros([1, 3])),
    };
    const run = makeRun(fails === "layer" ? { loss: undefined as never, ...wrong } : {});
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const hold: TrainingCallback = {
      name: "hold",
      onStepEnd: ({ trainer }) => (trainer.step === holdAfter ? released : undefined),
    };
    const never = new DataLoader<Tensor[], Pair>({ length: 9, get: () => new Promise(() => undefined) });
    return {
      trainer: run.trainer,
      loader: stuck ? never : run.loader,
      validation: stuck ? never : run.validation,
      callbacks: [hold],
      ...(folder === undefined ? {} : { checkpoints: { folder, everySteps: 2 } }),
      methods: {
        classify: async (points: number[][]) => {
          const scores = tidy(() => {
            run.model.eval();
            const output = run.model.call(tensor(points));
            run.model.train();
            return output;
          });
          const values = await read(scores);
          scores.dispose();
          return points.map((_, row) => (values[2 * row + 1] > values[2 * row] ? 1 : 0));
        },
        tensors: () => memory().numTensors,
        release: () => release(),
        broken: () => {
          throw new RangeError("no such class");
        },
      },
      info: fails === "tensor" ? zeros([1]) : { classes: ["apart", "together"] },
      dispose: run.dispose,
    };
  });
}
