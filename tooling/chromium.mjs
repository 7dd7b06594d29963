import { existsSync } from "node:fs";

/** Where Chromium is: AI_CHROMIUM, else the place of Debian and most distributions; undefined when there is none. */
export function findChromium(environment = process.env) {
  return [environment.AI_CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"].find(
    (path) => path !== undefined && path !== "" && existsSync(path),
  );
}

/** Flags for a headless run: WebGPU by software, no sandbox (containers run as root), no traffic of the browser's own. */
export const CHROMIUM_FLAGS = [
  "--enable-unsafe-webgpu",
  "--no-sandbox",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-quic",
];
