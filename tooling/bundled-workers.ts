import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build, type Plugin as EsbuildPlugin } from "esbuild";
import type { Plugin } from "vite";
import { sources } from "./bundle-worker.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** In one file for all modules, each still says where its own source lies: beside it are the weights of our models. */
const ownAddresses: EsbuildPlugin = {
  name: "own-addresses",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]packages[\\/].*\.ts$/ }, async ({ path }) => {
      const contents = await readFile(path, "utf8");
      const address = `/${path.slice(ROOT.length).replaceAll("\\", "/")}`;
      return {
        contents: contents.replaceAll("import.meta.url", `(location.origin + ${JSON.stringify(address)})`),
        loader: "ts",
      };
    });
  },
};

const bundles = new Map<string, Promise<string>>();

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    write: false,
    bundle: true,
    platform: "browser",
    format: "esm",
    target: "es2022",
    plugins: [sources, ownAddresses],
    external: ["node:*", "webgpu", "@tensorflow/tfjs-node", "@tensorflow/tfjs-node-gpu"],
    logLevel: "error",
  });
  return outputFiles[0].text;
}

/**
 * Serves the packages' `*.worker.ts` as one file each. Vite's server would send the several hundred modules of a worker
 * one by one, again for each worker that a test starts.
 */
export function bundledWorkers(): Plugin {
  return {
    name: "bundled-workers",
    configureServer({ config, middlewares, watcher }) {
      watcher.on("all", () => bundles.clear());
      middlewares.use(async (request, response, next) => {
        const [, path] =
          /^\/(packages\/.*\.worker\.ts)\?worker_file&type=module/.exec(request.url ?? "") ?? [];
        if (path === undefined) return next();
        try {
          const source = bundles.get(path) ?? bundle(`${ROOT}${path}`);
          bundles.set(path, source);
          const text = await source;
          for (const [name, value] of Object.entries(config.server.headers ?? {}))
            if (value !== undefined) response.setHeader(name, value);
          response.setHeader("Content-Type", "text/javascript");
          response.end(text);
        } catch (error) {
          next(error);
        }
      });
    },
  };
}
