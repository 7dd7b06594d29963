import type { ModelCard } from "@ai/tensor";
import type { ModelDescription } from "./model-descriptions.js";

/** What a training script writes with `--result`, as far as a card tells it. */
export interface TrainingResult {
  readonly options: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** Of all threads, where it was measured. */
  readonly cpuSeconds?: number;
  readonly threads: number;
  readonly testPictures: number;
  readonly trainPictures: number;
  /** Share of the test pictures that a classifier has right. */
  readonly accuracy?: number;
  /** Of a detector, over the test pictures. */
  readonly averagePrecision50?: number;
}

/** The weights that come with the package, measured again. */
interface ShippedResult {
  readonly dtype: string;
  readonly bytes: number;
  readonly parameters: number;
  readonly accuracy?: number;
  readonly accuracyInkOnPaper?: number;
  readonly averagePrecision50?: number;
  readonly averagePrecision?: number;
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
const count = (value: number): string => value.toLocaleString("en-US");

/** `learningRate` as a command line has it. */
const flag = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

function scores({ accuracy, averagePrecision50 }: TrainingResult, shipped: ShippedResult): string[] {
  const row = (name: string, before: number | undefined, after: number | undefined): string[] =>
    after === undefined
      ? []
      : [`| ${name} | ${before === undefined ? "" : percent(before)} | ${percent(after)} |`];
  return [
    ...row("right of the test pictures", accuracy, shipped.accuracy),
    ...row("the same as dark ink on light paper", undefined, shipped.accuracyInkOnPaper),
    ...row(
      "AP at an overlap of 0.5 (AP50) on the test pictures",
      averagePrecision50,
      shipped.averagePrecision50,
    ),
    ...row("mean AP over overlaps 0.5 to 0.95", undefined, shipped.averagePrecision),
  ];
}

/** The page of a model of ours: data, licence, score, command. */
export function makeCard(
  name: string,
  { task, summary, data, dataArgument, limits, example }: ModelDescription,
  result: TrainingResult & { readonly shipped: ShippedResult },
): ModelCard {
  const { options, seconds, cpuSeconds, threads, trainPictures, testPictures, shipped } = result;
  const load = task === "image-classification" ? "loadImageClassifier" : "loadObjectDetector";
  const given = dataArgument === undefined ? "" : ` ${dataArgument}`;
  const flags = Object.entries(options).map(([option, value]) => `${flag(option)} ${value}`);
  const text = `${summary} It comes with \`@ai/vision\` and loads by its name, without a network:

\`\`\`ts
import { ${load} } from "@ai/vision";

${example}
\`\`\`

| | as trained (32 bits) | as it comes (16 bits) |
|---|---:|---:|
${scores(result, shipped).join("\n")}

- **Size**: ${count(shipped.parameters)} parameters, ${count(shipped.bytes)} bytes.
- **Data**: ${data}
- **Training**: ${count(trainPictures)} pictures, ${count(testPictures)} to test with; ${(seconds / 60).toFixed(0)} minutes by the clock${cpuSeconds === undefined ? "" : `, ${(cpuSeconds / 60).toFixed(0)} of processor time`}, on ${threads} ${threads === 1 ? "thread" : "threads"} of the WebAssembly device. The weights are those after the last epoch, not the best ones on the test pictures.
- **Limits**: ${limits}
- **Licence**: Apache-2.0, as this package; the pictures have their own, above.

This makes it again, in a checkout of the repository:

\`\`\`
pnpm --filter @ai/pretrain ${name}${given} ${flags.join(" ")} --folder runs/${name} --result runs/${name}.json
pnpm --filter @ai/pretrain package-model ${name} runs/${name}/model runs/${name}.json${given}
\`\`\`
`;
  return { title: name, text, license: "apache-2.0", pipelineTag: task, tags: ["vision"] };
}
