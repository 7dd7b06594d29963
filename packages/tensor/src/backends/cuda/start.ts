import { type KernelBackend, matMul, setBackend, tensor2d, version_core } from "@tensorflow/tfjs-core";
import type { StartedDevice } from "../../device.js";
import { engine } from "../../engine.js";
import { DeviceError } from "../../errors.js";

const PACKAGE = "@tensorflow/tfjs-node-gpu";
const BACKEND = "tensorflow";
const INSTALL = `npm install ${PACKAGE}@${version_core} (Linux x64 with CUDA 11.2 and cuDNN 8.1)`;

/** What tfjs-node's backend has beyond a plain one. */
interface NodeBackend extends KernelBackend {
  readonly isUsingGpuDevice?: boolean;
  readonly binding?: { readonly TF_Version?: string };
}

type Resolver = NodeJS.Require;

/** `require` as this library and the user's project see it: either may be where the package lies. */
function resolvers(): Resolver[] {
  const { createRequire } = process.getBuiltinModule("node:module");
  return [import.meta.url, `${process.cwd()}/package.json`].map((from) => createRequire(from));
}

/** Where the package is, with its version. */
function locate(): { require: Resolver; version: string } | undefined {
  for (const require of resolvers()) {
    try {
      return { require, version: (require(`${PACKAGE}/package.json`) as { version: string }).version };
    } catch {
      // not to be found from here
    }
  }
  return undefined;
}

/** Whether the user installed the package; Node only. */
export function isCudaInstalled(): boolean {
  return locate() !== undefined;
}

/** tfjs-node calls helpers of `util` that Node 23 removed, in nearly every op. */
function restoreUtil(): void {
  const util = process.getBuiltinModule("node:util") as unknown as Record<string, unknown>;
  util.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  util.isArray ??= Array.isArray;
}

/** Why the package would not load, in words that help. */
function loadError(message: string): DeviceError {
  const got = `got "${message.split("\n")[0]}"`;
  if (message.includes("tfjs_binding.node"))
    return new DeviceError(
      `useDevice: expected ${PACKAGE} with its native addon, ${got}; its install script did not run: npm rebuild ${PACKAGE}`,
    );
  if (/\.so[.\d]*: cannot open shared object|libtensorflow|libcudart|libcudnn|libcublas/.test(message))
    return new DeviceError(
      `useDevice: expected libtensorflow and the CUDA libraries that ${PACKAGE} needs, ${got}; install CUDA 11.2 and cuDNN 8.1 and put them on LD_LIBRARY_PATH`,
    );
  return new DeviceError(`useDevice: expected ${PACKAGE} to load, ${got}; ${INSTALL}`);
}

/** A product of small matrices, on the backend in use, is what it should be. */
async function assertProbe(): Promise<void> {
  const x = tensor2d([1, 2, 3, 4], [2, 2]);
  const y = matMul(x, x);
  const values = [...(await y.data())];
  x.dispose();
  y.dispose();
  if (values.join() !== "7,10,15,22")
    throw new DeviceError(
      `useDevice: expected cuda to multiply [[1, 2], [3, 4]] by itself, got ${values.join(", ")}; update the GPU's driver`,
    );
}

/**
 * Starts `@tensorflow/tfjs-node-gpu`, which the user installs: its install script downloads libtensorflow, so it can be
 * no dependency. Importing it registers all of tfjs's gradients and chained methods, which our ops do not use.
 * @throws DeviceError when it is missing, of another version than tfjs-core, does not load, runs on the CPU
 * (as TensorFlow does in silence without a GPU), or computes wrongly.
 */
export async function startCuda(): Promise<StartedDevice> {
  if (typeof process === "undefined" || process.getBuiltinModule === undefined)
    throw new DeviceError(
      "useDevice: expected Node 20.19 or later for cuda, got another environment; use webgpu or wasm",
    );
  const found = locate();
  if (found === undefined)
    throw new DeviceError(
      `useDevice: expected the optional package ${PACKAGE} for cuda, got none; ${INSTALL}`,
    );
  const { require, version } = found;
  if (version !== version_core)
    throw new DeviceError(
      `useDevice: expected ${PACKAGE} ${version_core}, the version of tfjs-core, got ${version}; ${INSTALL}`,
    );
  restoreUtil();
  const previous = engine().backendName;
  try {
    require(PACKAGE);
  } catch (error) {
    throw loadError(error instanceof Error ? error.message : String(error));
  }
  try {
    if (!(await setBackend(BACKEND)))
      throw new DeviceError(`useDevice: expected ${PACKAGE} to register its backend, got none; reinstall it`);
    const backend = engine().backend as NodeBackend;
    if (backend.isUsingGpuDevice !== true)
      throw new DeviceError(
        "useDevice: expected TensorFlow to use a GPU, got the CPU; check nvidia-smi, CUDA 11.2 and cuDNN 8.1, or use webgpu or wasm",
      );
    await assertProbe();
    const tensorflow = backend.binding?.TF_Version;
    return {
      backend: BACKEND,
      hardware: `CUDA GPU${tensorflow === undefined ? "" : `, TensorFlow ${tensorflow}`}`,
      threads: 1,
      features: [],
    };
  } finally {
    // importing the package switches tfjs's backend: useDevice does that itself, once all is well
    if (previous !== undefined && previous !== null) await setBackend(previous);
  }
}
