import { namesOf } from "../names.mjs";

const EMPTY_WORKER = `import { serveTasks } from "@ai/layers/tasks";

void serveTasks({});
`;

/** Puts a task into `void serveTasks({ … });` */
export function addToWorker(text, { kebab, camel }) {
  const pattern = /(void serveTasks\(\{)\n?([\s\S]*?)(\}\);)/;
  if (!pattern.test(text))
    throw new Error("new: tasks/tasks.worker.ts has no `void serveTasks({ … });` to add to");
  const row = `  "${kebab}": async () => (await import("./${kebab}.js")).${camel},\n`;
  return text.replace(pattern, (_, open, rows, close) => `${open}\n${rows}${row}${close}`);
}

/** Where a domain's worker is; the text of the file that says so. */
const workerSource = (packageName) => `import type { TaskWorkerSource } from "@ai/layers/tasks";

/** Where the worker of all ${packageName} tasks is. */
export const ${packageName}Worker: TaskWorkerSource = {
  page: () => new Worker(new URL("./tasks.worker.js", import.meta.url), { type: "module" }),
  file: "./tasks.worker.js",
  base: import.meta.url,
};
`;

/** A task on the contract of `@ai/layers/tasks`: a classifier of numbers until changed. */
export function taskFiles({ kebab, pascal, camel, title }, packageName) {
  const folder = `packages/${packageName}/src/tasks`;
  const worker = `${namesOf(packageName).camel}Worker`;
  return {
    files: {
      [`${folder}/${kebab}.ts`]: `import {
  defineTask,
  integerOption,
  type LoadableModel,
  labelsOf,
  listOption,
  loadPretrained,
  loadTask,
  type ModelRegistry,
  type Task,
  type TaskDefinition,
  type TaskLoadOptions,
  type TaskTypes,
  textOption,
} from "@ai/layers/tasks";
import { InputError, type ModelSource, read, reshape, softmax, stack, type Tensor, tensor, tidy } from "@ai/tensor";
import { models } from "../models/registry.js";
import { ${worker} } from "./${packageName}-worker.js";

/** What the task needs of a model. */
export interface ${pascal}Model extends LoadableModel {
  /** @param x \`[batch, features]\` @returns \`[batch, classes]\` scores before the softmax. */
  call(x: Tensor): Tensor;
}

/** Options of a call. */
export interface ${pascal}Options {
  /** How many answers at most, the most probable first. Default 5. */
  readonly topK?: number;
}

/** Options of {@link load${pascal}} beside those of every task. */
export interface Load${pascal}Options {
  /** Names of the classes in the order of the scores; they stand in place of \`id2label\`. */
  readonly labels?: readonly string[] | null;
}

/** One answer of ${title}. */
export interface ${pascal}Answer {
  readonly label: string;
  /** In [0, 1]; the probabilities of all classes sum to 1. */
  readonly probability: number;
}

/** What ${title} takes and gives. */
export interface ${pascal} extends TaskTypes {
  readonly input: Float32Array;
  readonly prepared: Float32Array;
  readonly result: ${pascal}Answer[];
  readonly options: ${pascal}Options;
  readonly loadOptions: Load${pascal}Options;
  readonly info: { readonly labels: readonly string[] };
}

/** The task over a registry: its own, or one of a test. */
export function ${camel}Over(registry: ModelRegistry<unknown>): TaskDefinition<${pascal}> {
  return {
    task: "${kebab}",
    loader: "load${pascal}",
    verb: "${camel}",
    loadOptions: { labels: listOption(textOption("")) },
    options: { topK: integerOption({ default: 5, minimum: 1 }) },
    explainOptions: {},
    checkInput(operation, input) {
      if (!(input instanceof Float32Array))
        throw new InputError(\`\${operation}: expected a Float32Array, got \${typeof input}\`);
    },
    worker: ${worker},
    async start(source, { labels: named }, context) {
      const { model, config } = await loadPretrained<${pascal}Model, unknown>(
        { model: source, task: "${kebab}", registry, readPreprocessing: async (_files, usual) => usual },
        context,
      );
      let labels: string[];
      try {
        labels = labelsOf(context.operation, config, { labels: named });
      } catch (error) {
        model.dispose();
        throw error;
      }
      return {
        info: { labels },
        prepare(input, _options, { operation }) {
          if (!input.every(Number.isFinite))
            throw new InputError(\`\${operation}: expected finite numbers, got others\`);
          return input;
        },
        async run(batch, { topK }) {
          const probabilities = tidy(() => {
            const x = stack(batch.map((values) => tensor(values))); // [batch, features]
            return softmax(reshape(model.call(x), [batch.length, labels.length]));
          });
          try {
            const values = await read(probabilities);
            return batch.map((_, row) =>
              labels
                .map((label, column) => ({ label, probability: values[row * labels.length + column] }))
                .sort((a, b) => b.probability - a.probability)
                .slice(0, topK),
            );
          } finally {
            probabilities.dispose();
          }
        },
        dispose: () => model.dispose(),
      };
    },
  };
}

/** For {@link load${pascal}} and the worker. */
export const ${camel} = /* @__PURE__ */ defineTask<${pascal}>(() => ${camel}Over(models));

/**
 * Loads ${title}.
 * @param model A repository id, a URL, a folder, files, or the name of a model of ours.
 * @throws InputError for a model or option that there is not, WeightsError, DownloadError, DeviceError, the signal's reason.
 * @example
 * const ${camel} = await load${pascal}("owner/name");
 * const [best] = await ${camel}(input);
 */
export function load${pascal}(
  model: ModelSource,
  options: TaskLoadOptions & Load${pascal}Options = {},
): Promise<Task<${pascal}>> {
  return loadTask(${camel}, model, options);
}
`,
      [`${folder}/${kebab}.test.ts`]: `import { Linear } from "@ai/layers";
import { defineTask, loadTask, modelEntries, pretrainedFolder } from "@ai/layers/tasks";
import { describeTask } from "@ai/layers/testing";
import { useDevice, writeModelFolder } from "@ai/tensor";
import { ${camel}Over, type ${pascal}Model } from "./${kebab}.js";

const entry = modelEntries<{ "${kebab}": ${pascal}Model }, unknown>();
const task = defineTask(() =>
  ${camel}Over({
    tiny: entry({
      load: async () => ({ Linear }),
      create: (module) => ({ model: new module.Linear(4, 3) }),
      modelTypes: ["tiny"],
      tasks: ["${kebab}"],
      preprocessing: null,
    }),
  }),
);

await useDevice("cpu");
const model = new Linear(4, 3).initialize({ seed: 1 });
const files = await writeModelFolder(
  await pretrainedFolder({ model, config: { model_type: "tiny" }, labels: ["a", "b", "c"] }),
);
model.dispose();

describeTask("load${pascal}", {
  load: (options) => loadTask(task, files, options),
  inputs: [Float32Array.of(1, 0, 0, 0), Float32Array.of(0, 1, 0, 0), Float32Array.of(0, 0, 1, 0)],
  badInputs: { "a text": "four", "not a number": Float32Array.of(Number.NaN, 0, 0, 0) },
  badOptions: [{ topK: 0 }],
});
`,
    },
    edits: {
      [`${folder}/tasks.worker.ts`]: (text = EMPTY_WORKER) => addToWorker(text, { kebab, camel }),
      [`${folder}/${packageName}-worker.ts`]: (text = workerSource(namesOf(packageName).camel)) => text,
    },
    exports: {
      [`packages/${packageName}/src/index.ts`]: `export { type ${pascal}, type ${pascal}Answer, type ${pascal}Model, type ${pascal}Options, load${pascal}, type Load${pascal}Options } from "./tasks/${kebab}.js";`,
    },
    next: [
      `replace the input by the user's own (picture, text, sound) with what preprocess/ has`,
      `write "${kebab}" into the tasks of the models that serve it, in models/registry.ts`,
      "run it in workers too: describeTaskInWorker in a .node.test.ts and a .browser.test.ts",
      "docs/contributing/add-a-task.md",
    ],
  };
}
