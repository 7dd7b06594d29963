import {
  grad,
  InputError,
  type ModelSource,
  mul,
  read,
  relu,
  sigmoid,
  slice,
  softmax,
  sum,
  type Tensor,
  tensor,
  tidy,
  useDevice,
  writeModelFolder,
} from "@ai/tensor";
import { Linear, Module } from "../index.js";
import {
  choiceOption,
  defineTask,
  integerOption,
  labelsOf,
  listOption,
  loadPretrained,
  loadTask,
  type ModelConfig,
  modelEntries,
  numberOption,
  type PretrainedFiles,
  pretrainedFolder,
  type Task,
  type TaskLoadOptions,
  type TaskTypes,
  textOption,
  type WorkContext,
} from "../tasks/index.js";
import { digitWorker } from "./digit-worker.js";

/** A small classifier of 16 numbers, in the form that every domain has: what the tests of the task contract run. */
export class DigitNet extends Module<[x: Tensor], Tensor> {
  readonly hidden: Linear;
  readonly output: Linear;

  constructor({ width, numClasses }: { readonly width: number; readonly numClasses: number }) {
    super();
    this.hidden = new Linear(16, width);
    this.output = new Linear(width, numClasses);
  }

  protected forward(x: Tensor): Tensor {
    return this.output.call(relu(this.hidden.call(x))); // [batch, classes]
  }
}

interface DigitPreprocessing {
  readonly mean: number;
  readonly std: number;
}

interface ScoringModel {
  call(x: Tensor): Tensor;
}

const entry = /* @__PURE__ */ modelEntries<
  { "digit-classification": ScoringModel; "digit-other": ScoringModel },
  DigitPreprocessing
>();

/** The registry of the test's domain. */
export const models = {
  digitNet: /* @__PURE__ */ entry({
    load: async () => ({ DigitNet }),
    create: (module, config) => ({
      model: new module.DigitNet({
        width: Number(config.hidden_size),
        numClasses: Object.keys(config.id2label as object).length,
      }),
      // checkpoints call the layers otherwise
      mapping: [
        { from: "net.fc1.{rest*}", to: "hidden.{rest*}" },
        { from: "net.fc2.{rest*}", to: "output.{rest*}" },
      ],
    }),
    modelTypes: ["digit_net"],
    architectures: ["DigitNetForClassification"],
    tasks: ["digit-classification"],
    preprocessing: { mean: 0, std: 1 },
  }),
  other: /* @__PURE__ */ entry({
    load: async () => ({ DigitNet }),
    create: (module) => ({ model: new module.DigitNet({ width: 1, numClasses: 1 }) }),
    modelTypes: ["digit_other"],
    tasks: ["digit-other"],
    preprocessing: { mean: 0, std: 1 },
  }),
};

/** One answer. */
export interface DigitAnswer {
  readonly label: string;
  readonly score: number;
}

/** Options of a call. */
export interface DigitOptions {
  readonly topK?: number;
  readonly threshold?: number;
  readonly activation?: "softmax" | "sigmoid";
}

/** The types of the test's task. */
export interface DigitTypes extends TaskTypes {
  /** 16 numbers, or a promise-like text `"slow:<milliseconds>"` that is made ready so late. */
  readonly input: Float32Array | string;
  readonly prepared: Float32Array;
  readonly result: DigitAnswer[];
  readonly options: DigitOptions;
  readonly loadOptions: {
    readonly labels?: readonly string[] | null;
    /** `average` streams the mean of all answers so far. */
    readonly streams?: "results" | "average";
    readonly modelName?: string;
  };
  readonly info: { readonly labels: string[]; readonly std: number };
  readonly target: string;
  readonly explainOptions: { readonly scale?: number };
  readonly explanation: { readonly relevance: Float32Array };
  readonly methods: {
    readonly rename: {
      readonly argument: { readonly from: string; readonly to: string };
      readonly result: string[];
    };
  };
}

async function readPreprocessing(
  files: PretrainedFiles,
  usual: DigitPreprocessing,
): Promise<DigitPreprocessing> {
  const json = await files.json("preprocessor_config.json");
  return json === undefined ? usual : { mean: Number(json.mean), std: Number(json.std) };
}

/** Inputs that take their time: how many were begun, wait now, and waited at once at most. */
export const slowInputs = { begun: 0, waiting: 0, most: 0 };

/** Waits, or rejects with the signal's reason. */
function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  slowInputs.begun++;
  slowInputs.waiting++;
  slowInputs.most = Math.max(slowInputs.most, slowInputs.waiting);
  return new Promise<void>((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, milliseconds);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  }).finally(() => {
    slowInputs.waiting--;
  });
}

/** Defined as a domain does. */
export const digitClassification = /* @__PURE__ */ defineTask<DigitTypes>(() => ({
  task: "digit-classification",
  loader: "loadDigitClassifier",
  verb: "classify",
  loadOptions: {
    labels: listOption(textOption("")),
    streams: choiceOption(["results", "average"], "results"),
    modelName: textOption("digits"),
  },
  options: {
    topK: integerOption({ default: 3, minimum: 1 }),
    threshold: numberOption({ default: 0, minimum: 0, maximum: 1 }),
    activation: choiceOption(["softmax", "sigmoid"], "softmax"),
  },
  explainOptions: { scale: numberOption({ default: 1 }) },
  methods: ["rename"],
  batchSize: 4,
  checkInput(operation, input) {
    if (typeof input !== "string" && !(input instanceof Float32Array))
      throw new InputError(`${operation}: expected an input as a Float32Array, got ${typeof input}`);
  },
  worker: digitWorker,
  async start(source, { labels: given, streams }, context) {
    const { model, config, preprocessing } = await loadPretrained<DigitNet, DigitPreprocessing>(
      {
        model: source,
        task: "digit-classification",
        registry: models,
        ownModels: {
          "digits-small": {
            tasks: ["digit-classification"],
            load: async () => ({ files: await digitFiles() }),
          },
        },
        readPreprocessing,
      },
      context,
    );
    const labels = labelsOf(context.operation, config, { count: model.output.outFeatures, labels: given });
    const rank = (scores: Float32Array, { topK, threshold }: Required<DigitOptions>): DigitAnswer[] =>
      labels
        .map((label, index) => ({ label, score: scores[index] }))
        .filter(({ score }) => score >= threshold)
        .sort((a, b) => b.score - a.score)
        .slice(0, topK);
    const scoresOf = async (
      batch: readonly Float32Array[],
      { activation }: Required<DigitOptions>,
    ): Promise<Float32Array[]> => {
      const scores = tidy(() => {
        const x = tensor(
          batch.flatMap((values) => [...values]),
          [batch.length, 16],
        );
        const raw = model.call(x); // [batch, classes]
        return activation === "softmax" ? softmax(raw) : sigmoid(raw);
      });
      try {
        const values = await read(scores);
        return batch.map((_, row) =>
          Float32Array.from(values.slice(row * labels.length, (row + 1) * labels.length)),
        );
      } finally {
        scores.dispose();
      }
    };
    const prepare = async (
      input: Float32Array | string,
      { operation, signal }: WorkContext,
    ): Promise<Float32Array> => {
      let values: Float32Array;
      if (typeof input === "string") {
        const milliseconds = Number(/^slow:(\d+)$/.exec(input)?.[1] ?? Number.NaN);
        if (Number.isNaN(milliseconds))
          throw new InputError(`${operation}: expected "slow:<milliseconds>", got ${JSON.stringify(input)}`);
        await wait(milliseconds, signal);
        values = new Float32Array(16).fill(milliseconds / 100);
      } else values = input;
      if (values.length !== 16)
        throw new InputError(`${operation}: expected 16 numbers, got ${values.length}`);
      return values.map((value) => (value - preprocessing.mean) / preprocessing.std);
    };
    return {
      info: { labels, std: preprocessing.std },
      prepare: (input, _options, context) => prepare(input, context),
      run: async (batch, options) => (await scoresOf(batch, options)).map((scores) => rank(scores, options)),
      ...(streams === "average"
        ? {
            async *stream(inputs, options, context) {
              const total = new Float32Array(labels.length);
              let count = 0;
              for await (const input of inputs) {
                const prepared = await prepare(input, context);
                const [scores] = await context.inTurn(() => scoresOf([prepared], options));
                count++;
                scores.forEach((score, index) => {
                  total[index] += score;
                });
                context.progress(count);
                yield rank(
                  total.map((score) => score / count),
                  options,
                );
              }
            },
          }
        : {}),
      async explain(input, target, { scale }, context) {
        const index = labels.indexOf(target);
        if (index < 0)
          throw new InputError(
            `${context.operation}: expected a target of ${labels.join(", ")}, got ${JSON.stringify(target)}`,
          );
        const prepared = await prepare(input, context);
        const relevance = tidy(() => {
          const x = tensor(prepared, [1, 16]);
          const score = (given: Tensor): Tensor => sum(slice(model.call(given), [0, index], [1, 1]));
          return mul(mul(grad(score, [x])[0], x), scale); // [1, 16]
        });
        try {
          return { relevance: Float32Array.from(await read(relevance)) };
        } finally {
          relevance.dispose();
        }
      },
      methods: {
        rename({ from, to }, { operation }) {
          const index = labels.indexOf(from);
          if (index < 0)
            throw new InputError(`${operation}: expected a label of ${labels.join(", ")}, got ${from}`);
          labels[index] = to;
          return [...labels];
        },
      },
      dispose: () => model.dispose(),
    };
  },
}));

/** Loads it, as a domain's loader does. */
export function loadDigitClassifier(
  model: ModelSource,
  options?: TaskLoadOptions & DigitTypes["loadOptions"],
): Promise<Task<DigitTypes>> {
  return loadTask(digitClassification, model, options);
}

/** A model folder, saved as the contract saves one: values by seed. */
export async function digitFiles(changes: ModelConfig = {}): Promise<Record<string, Uint8Array>> {
  await useDevice("cpu");
  const model = new DigitNet({ width: 8, numClasses: 3 }).initialize({ seed: 5 });
  const folder = await pretrainedFolder({
    model,
    config: { model_type: "digit_net", hidden_size: 8, ...changes },
    mapping: models.digitNet.create({ DigitNet }, { hidden_size: 1, id2label: { 0: "" } }, undefined as never)
      .mapping,
    labels: ["zero", "one", "two"],
    files: { "preprocessor_config.json": { mean: 0.5, std: 2 } },
  });
  model.dispose();
  return Object.fromEntries(await writeModelFolder(folder));
}
