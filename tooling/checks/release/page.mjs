import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright";
import { CHROMIUM_FLAGS, findChromium } from "../../chromium.mjs";
import { SkippedCheck } from "../skipped-check.mjs";

const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
  ".css": "text/css",
  ".map": "application/json",
};

/** Serves a folder on a free port of this machine. */
function serve(folder) {
  const server = createServer((request, response) => {
    const path = join(
      folder,
      normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname)),
    );
    const file = existsSync(path) && statSync(path).isDirectory() ? join(path, "index.html") : path;
    if (!file.startsWith(folder) || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" });
    createReadStream(file).pipe(response);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

/**
 * Opens a folder's `index.html` in headless Chromium and waits until the page sets `globalThis.result`.
 * @returns `result`, and what went wrong in the page.
 */
export async function resultOfPage(folder, timeoutSeconds = 240) {
  const executablePath = findChromium();
  if (executablePath === undefined)
    throw new SkippedCheck("no Chromium was found; install it or name it with AI_CHROMIUM");
  const server = await serve(folder);
  const browser = await chromium.launch({ executablePath, args: CHROMIUM_FLAGS });
  const errors = [];
  try {
    const page = await browser.newPage();
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on(
      "console",
      (message) =>
        message.type() === "error" && !/favicon/.test(message.location().url) && errors.push(message.text()),
    );
    page.on("requestfailed", (request) => errors.push(`${request.url()}: ${request.failure()?.errorText}`));
    page.setDefaultTimeout(timeoutSeconds * 1000);
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const result = await page
      .waitForFunction(() => globalThis.result)
      .then((handle) => handle.jsonValue())
      .catch((error) => {
        errors.push(String(error));
      });
    return { result, errors };
  } finally {
    await browser.close();
    server.close();
  }
}
