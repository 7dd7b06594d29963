import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { bundledWorkers } from "./tooling/bundled-workers.js";
import { CHROMIUM_FLAGS, findChromium } from "./tooling/chromium.mjs";
import { LongestFirst } from "./tooling/longest-first.js";

const packageSource = (name: string, entry: string): string =>
  fileURLToPath(new URL(`./packages/${name}/src/${entry}`, import.meta.url));

/** Packages are tested from their sources: no build is needed first. */
const alias = [
  { find: /^@ai\/(\w+)$/, replacement: packageSource("$1", "index.ts") },
  { find: /^@ai\/(\w+)\/(testing|training|tasks)$/, replacement: packageSource("$1", "$2/index.ts") },
];

const chromium = findChromium();
/** Chromium brings a software Vulkan driver and loader, so that Dawn in Node has an adapter without a GPU. */
const chromiumLibraries = "/usr/lib/chromium";
const softwareDriver = `${chromiumLibraries}/vk_swiftshader_icd.json`;
const everythingRequired = process.env.AI_REQUIRE_GPU_TESTS === "1";
if (everythingRequired && chromium === undefined)
  throw new Error(
    "AI_REQUIRE_GPU_TESTS=1 requires Chromium, none was found; install it or name it with AI_CHROMIUM",
  );
const required = everythingRequired ? "wasm,webgpu" : "";

const devices = (names: string, engine = ""): Record<string, string> => ({
  __AI_TEST_DEVICES__: JSON.stringify(process.env.AI_TEST_DEVICES ?? names),
  __AI_REQUIRED_DEVICES__: JSON.stringify(required),
  __AI_TEST_ENGINE__: JSON.stringify(process.env.AI_TEST_ENGINE ?? engine),
});

/** The CPU engine's other forms (testing/devices.ts): every test of @ai/tensor on each. */
const engineProject = (engine: string) => ({
  resolve: { alias },
  define: { ...devices("wasm", engine), __AI_TEST_DEVICES__: JSON.stringify("wasm") },
  test: {
    name: `engine:${engine}`,
    ...TIMEOUTS,
    environment: "node" as const,
    include: ["packages/tensor/src/{ops,gradients,kernels,backends/wasm}/**/*.test.ts"],
    // threads.test.ts starts engines of its own
    exclude: [
      "**/node_modules/**",
      "**/dist/**",
      "**/*.browser.test.ts",
      "**/*.node.test.ts",
      "**/threads.test.ts",
    ],
    // one process for all files: the engine is started once
    isolate: false,
    setupFiles: sharedSetup,
  },
});

const NO_TESTS = ["**/node_modules/**", "**/dist/**"];

/** Files of `*.test.ts` that leave the process or page other than they found it: each gets one of its own. */
const SPOIL_THEIR_PROCESS = [
  // evaluates the modules anew
  "packages/vision/src/preprocess/resize-image.test.ts",
  // takes SharedArrayBuffer and WebAssembly away
  "packages/tensor/src/backends/wasm/threads.test.ts",
  // loses the GPU
  "packages/tensor/src/backends/webgpu/lost.test.ts",
  // is about the first op of a process
  "packages/tensor/src/backends/wasm/start-after-cpu.test.ts",
];

/** Files of `*.node.test.ts` that leave the process as they found it, and share one with `*.test.ts`. */
const SHARE_A_PROCESS = [
  "packages/tensor/src/weights/{files,shards,reference-weights,names/real-checkpoints}.node.test.ts",
  "packages/layers/src/{pretrained,save-load}.node.test.ts",
  "packages/layers/src/tasks/{loading,tasks}.node.test.ts",
  "packages/layers/src/training/{storage,data/worker-dataset,worker/training}.node.test.ts",
  "packages/vision/src/cli/{picture-paths,training-run}.node.test.ts",
  "packages/vision/src/datasets/real-data.node.test.ts",
  "packages/vision/src/models/{real-weights,registry}.node.test.ts",
  "packages/vision/src/preprocess/{fuzz-pictures,read-image}.node.test.ts",
  "packages/vision/src/tasks/image-{classification,embedding,recognition}.node.test.ts",
  "packages/vision/src/tasks/{object-detection,own-models,text-recognition}.node.test.ts",
];

/** Where a page's WebGPU could differ from Dawn in Node: docs/decisions/where-tests-run.md. */
const ON_WEBGPU_IN_CHROMIUM = [
  "packages/tensor/src/device-move.test.ts",
  "packages/tensor/src/{ops,gradients,kernels,backends}/**/*.test.ts",
  // each layer: forward, backward, saved and loaded
  "packages/layers/src/conformance.test.ts",
  "packages/layers/src/training/trainer.test.ts",
  "packages/vision/src/preprocess/**/*.test.ts",
  "packages/vision/src/tasks/image-classification.test.ts",
];

/** Ends what hangs: the longest tests take half a minute, on a busy machine four times as long. */
const TIMEOUTS = { testTimeout: 300_000, hookTimeout: 300_000 };

/** Where files share a process or page, what one of them leaves to the garbage collector must not change the next one's counts. */
const sharedSetup = [packageSource("tensor", "testing/hold-uncollected.ts")];

/** A hub on loopback for the tests of downloads. */
const globalSetup = [fileURLToPath(new URL("./tooling/hub/global-setup.mjs", import.meta.url))];

const nodeProject = (
  name: string,
  { include, exclude, isolate }: { include: string[]; exclude: string[]; isolate: boolean },
) => ({
  resolve: { alias },
  define: devices("cpu,wasm,webgpu"),
  test: {
    name,
    globalSetup,
    ...TIMEOUTS,
    environment: "node" as const,
    include,
    exclude: [...NO_TESTS, "**/*.browser.test.ts", ...exclude],
    isolate,
    setupFiles: isolate ? [] : sharedSetup,
    env: {
      WEBGPU_MATMUL_PROGRAM_TYPE: "2",
      XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? "/tmp",
      ...(existsSync(softwareDriver)
        ? {
            VK_ICD_FILENAMES: process.env.VK_ICD_FILENAMES ?? softwareDriver,
            LD_LIBRARY_PATH: [process.env.LD_LIBRARY_PATH, chromiumLibraries].filter(Boolean).join(":"),
          }
        : {}),
    },
  },
});

/** Headers of a cross-origin isolated page. */
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

interface ChromiumOptions {
  readonly headers?: Record<string, string>;
  readonly define?: Record<string, string>;
  readonly include: string[];
  readonly exclude?: string[];
  readonly isolate: boolean;
}

const chromiumProject = (
  name: string,
  { headers = {}, define = devices("wasm,webgpu"), include, exclude = [], isolate }: ChromiumOptions,
) => ({
  resolve: { alias },
  plugins: [bundledWorkers()],
  define,
  server: { headers },
  test: {
    name,
    globalSetup,
    ...TIMEOUTS,
    include,
    exclude: [...NO_TESTS, "**/*.node.test.ts", ...exclude],
    isolate,
    setupFiles: isolate ? [] : sharedSetup,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      instances: [{ browser: "chromium" as const }],
      provider: playwright({
        launchOptions: { executablePath: chromium, args: CHROMIUM_FLAGS, timeout: 180_000 },
      }),
    },
  },
});

export default defineConfig({
  resolve: { alias },
  test: {
    pool: "forks",
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    // several browsers start at once, beside two workers
    browser: { enabled: false, connectTimeout: 300_000 },
    projects: [
      nodeProject("node", {
        include: ["packages/**/!(*.node).test.ts", ...SHARE_A_PROCESS],
        exclude: SPOIL_THEIR_PROCESS,
        isolate: false,
      }),
      nodeProject("node-alone", {
        include: [
          "packages/**/*.node.test.ts",
          "{apps,tooling,benchmarks}/**/*.test.ts",
          ...SPOIL_THEIR_PROCESS,
        ],
        exclude: SHARE_A_PROCESS,
        isolate: true,
      }),
      ...["one-thread", "threads", "relaxed", "unshared"].map(engineProject),
      ...(chromium === undefined
        ? []
        : [
            chromiumProject("chromium", {
              define: devices("wasm"),
              include: ["packages/**/*.test.ts"],
              exclude: ON_WEBGPU_IN_CHROMIUM,
              isolate: false,
            }),
            chromiumProject("chromium-webgpu", {
              include: ON_WEBGPU_IN_CHROMIUM,
              exclude: SPOIL_THEIR_PROCESS,
              isolate: false,
            }),
            chromiumProject("chromium-alone", { include: SPOIL_THEIR_PROCESS, isolate: true }),
            // an isolated page has shared memory and so threads; the other has neither
            chromiumProject("chromium-threads", {
              headers: ISOLATION,
              define: { ...devices("wasm"), __AI_TEST_DEVICES__: JSON.stringify("wasm") },
              include: ["packages/tensor/src/{backends/wasm,kernels}/**/*.test.ts"],
              isolate: false,
            }),
          ]),
    ],
  },
});
