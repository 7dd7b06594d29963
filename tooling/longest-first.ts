import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Files that take longest, the longest first: begun last, one of them would keep a single worker busy after all others
 * are done. What a file takes stands beside its name in the log of `npm test`.
 */
const LONGEST = [
  "packages/tensor/src/weights/fuzz.node.test.ts",
  "packages/tensor/src/backends/wasm/soak.node.test.ts",
  "apps/demo-vision/src/demo.node.test.ts",
  "packages/tensor/src/backends/wasm/conformance.node.test.ts",
  "tooling/generators/new.test.ts",
  "packages/vision/src/cli/cli.node.test.ts",
  "packages/vision/src/training/fine-tune-image-classifier.node.test.ts",
  "packages/vision/src/models/published-scores.node.test.ts",
];

const rank = ({ moduleId }: TestSpecification): number => {
  const at = LONGEST.findIndex((path) => moduleId.endsWith(path));
  return at < 0 ? LONGEST.length : at;
};

/** Starts with the files that get a process of their own, and among them with the {@link LONGEST}. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isolated = ({ project }: TestSpecification): number => Number(project.config.isolate);
    // the order is stable: projects that share a process stay together
    return sorted.sort(
      (a, b) => isolated(b) - isolated(a) || (a.project === b.project ? rank(a) - rank(b) : 0),
    );
  }
}
