import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { digitFiles, loadDigitClassifier } from "../testing/digit-task.js";
import { expectSentence, failureOf } from "../testing/task-expectations.js";

let folder: string;
let server: Server;
let base: string;

/** A model's folder on disk and behind a server that knows ranges. */
beforeAll(async () => {
  const files = await digitFiles();
  folder = await mkdtemp(join(tmpdir(), "digits-"));
  await mkdir(join(folder, "model"));
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, "model", name), bytes);
  server = createServer((request, response) => {
    const bytes = files[(request.url ?? "").replace(/^\/model\//, "")];
    if (bytes === undefined) return void response.writeHead(404).end();
    const [, first, last] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "") ?? [];
    if (first === undefined)
      return void response.writeHead(200, { "content-length": bytes.length }).end(bytes);
    const end = Math.min(last ? Number(last) : bytes.length, bytes.length - 1);
    const part = bytes.subarray(Number(first), end + 1);
    const headers = {
      "content-range": `bytes ${first}-${end}/${bytes.length}`,
      "content-length": part.length,
    };
    response.writeHead(206, headers).end(part);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

it("opens a folder, a file of weights in it, and both behind a URL, which all give the same", async () => {
  const input = Float32Array.from({ length: 16 }, (_, index) => index / 16);
  const path = join(folder, "model");
  const answers: unknown[] = [];
  for (const model of [
    path,
    pathToFileURL(path),
    join(path, "model.safetensors"),
    `${base}/model`,
    new URL(`${base}/model/`),
    `${base}/model/model.safetensors`,
  ]) {
    const classify = await loadDigitClassifier(model, { device: "cpu" });
    expect(classify.info).toEqual({ labels: ["zero", "one", "two"], std: 2 });
    answers.push(await classify(input));
    await classify.dispose();
  }
  for (const answer of answers) expect(answer).toEqual(answers[0]);
});

it("says what is missing", async () => {
  const load = (model: string, options = {}): Promise<unknown> =>
    loadDigitClassifier(model, { device: "cpu", ...options });
  const absent = await failureOf(load(`${base}/other/`));
  expectSentence(absent);
  expect(absent.message).toMatch(/expected config.json in .*other.*, got none/);
  expect(await failureOf(load(join(folder, "nowhere")))).toMatchObject({ name: "WeightsError" });
  expectSentence(await failureOf(load(join(folder, "model"), { revision: "main" })));
});
