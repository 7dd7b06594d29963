import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { CHROMIUM_FLAGS, findChromium } from "./tooling/chromium.mjs";

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
  },
});

/** A software GPU compiles each shader for tens of milliseconds, more on a busy machine. */
const TIMEOUTS = { testTimeout: 120_000, hookTimeout: 120_000 };

/** A hub on loopback for the tests of downloads. */
const globalSetup = [fileURLToPath(new URL("./tooling/hub/global-setup.mjs", import.meta.url))];

/** Headers of a cross-origin isolated page. */
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

const chromiumProject = (
  name: string,
  headers: Record<string, string>,
  define: Record<string, string>,
  include: string[],
) => ({
  resolve: { alias },
  define,
  server: { headers },
  test: {
    name,
    globalSetup,
    ...TIMEOUTS,
    include,
    exclude: ["**/node_modules/**", "**/dist/**", "**/*.node.test.ts"],
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      instances: [{ browser: "chromium" as const }],
      provider: playwright({ launchOptions: { executablePath: chromium, args: CHROMIUM_FLAGS } }),
    },
  },
});

export default defineConfig({
  resolve: { alias },
  test: {
    pool: "forks",
    maxWorkers: 2,
    projects: [
      {
        resolve: { alias },
        define: devices("cpu,wasm,webgpu"),
        test: {
          name: "node",
          globalSetup,
          ...TIMEOUTS,
          environment: "node",
          include: ["{packages,apps,tooling,benchmarks}/**/*.test.ts"],
          exclude: ["**/node_modules/**", "**/dist/**", "**/*.browser.test.ts"],
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
      },
      ...["one-thread", "threads", "relaxed", "unshared"].map(engineProject),
      ...(chromium === undefined
        ? []
        : [
            chromiumProject("chromium", {}, devices("wasm,webgpu"), ["packages/**/*.test.ts"]),
            // an isolated page has shared memory and so threads; the other has neither
            chromiumProject(
              "chromium-threads",
              ISOLATION,
              { ...devices("wasm"), __AI_TEST_DEVICES__: JSON.stringify("wasm") },
              ["packages/tensor/src/{backends/wasm,kernels}/**/*.test.ts"],
            ),
          ]),
    ],
  },
});
