import { once } from "node:events";
import { createReadStream, existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readTar } from "@ai/vision";
import { type Browser, chromium, type Page } from "playwright";
import { build, type PreviewServer, preview } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CHROMIUM_FLAGS, findChromium } from "../../../tooling/chromium.mjs";
import { TrainPage } from "./testing/train-page.js";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const configFile = here("../vite.config.ts");
const executablePath = findChromium();
const sharedData = process.env.AI_SHARED_DATA ?? here("../../../../shared/data");
const photos = join(sharedData, "vision/cifar10-jpeg.tar");
/** For what computes in the page, on a machine that does other things as well. */
const PATIENCE = 240_000;

/** What axe-core says of a page, as far as it is read. */
interface AxeResults {
  readonly violations: readonly {
    readonly id: string;
    readonly impact?: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

describe.skipIf(executablePath === undefined)("demo of vision in Chromium", () => {
  let folder: string;
  let isolated: PreviewServer;
  let browser: Browser;

  const serve = (headers: Record<string, string> | undefined): Promise<PreviewServer> =>
    preview({
      configFile,
      logLevel: "error",
      build: { outDir: join(folder, "dist") },
      preview: { port: 0, host: "127.0.0.1", ...(headers === undefined ? {} : { headers }) },
    });
  const addressOf = (server: PreviewServer): string => {
    const address = server.httpServer.address();
    if (address === null || typeof address === "string") throw new Error("expected a port");
    return `http://127.0.0.1:${address.port}/`;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "demo-vision-"));
    await build({ configFile, logLevel: "error", build: { outDir: join(folder, "dist"), minify: false } });
    isolated = await serve(undefined);
    // the camera sees the ship: motion JPEG is one file after the other
    const ship = await readFile(here("../public/samples/ship.jpg"));
    await writeFile(join(folder, "camera.mjpeg"), Buffer.concat(Array.from({ length: 4 }, () => ship)));
    browser = await chromium.launch({
      ...(executablePath === undefined ? {} : { executablePath }),
      args: [
        ...CHROMIUM_FLAGS,
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        `--use-file-for-fake-video-capture=${join(folder, "camera.mjpeg")}`,
      ],
    });
  });
  afterAll(async () => {
    await browser?.close();
    await isolated?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Opens the page, and fails for whatever it writes to the console as an error. */
  async function open(
    tab: string,
    work: (page: Page) => Promise<void>,
    options: {
      readonly device?: string;
      readonly address?: string;
      readonly width?: number;
      /** Before the page is fetched. */
      readonly prepare?: (page: Page) => Promise<unknown>;
    } = {},
  ): Promise<void> {
    const { device = "wasm-1", address = addressOf(isolated), width = 1280, prepare } = options;
    const context = await browser.newContext({ viewport: { width, height: 800 } });
    context.setDefaultTimeout(PATIENCE);
    await context.addInitScript((id) => localStorage.setItem("device", id), device);
    const errors: string[] = [];
    try {
      const page = await context.newPage();
      page.on("pageerror", (error) => errors.push(String(error)));
      page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
      await prepare?.(page);
      await page.goto(`${address}#${tab}`);
      await page.waitForSelector("body:not([inert])");
      await work(page);
      expect(errors).toEqual([]);
    } finally {
      await context.close();
    }
  }

  const sample = (page: Page, name: string) => page.click(`#samples button:has-text("${name}")`);
  const best = (page: Page, label: string) =>
    page.waitForSelector(`#classes li:first-child .name:text-is("${label}")`);

  it("classifies, shows what speaks for a class, saves the picture and tells the time", () =>
    open("classify", async (page) => {
      await sample(page, "Ship");
      await best(page, "ship");
      await page.click("#classes li:first-child button");
      await page.waitForSelector("#overlay:not([hidden])");
      const warm = await page.evaluate(() => {
        const { width, height } = document.querySelector<HTMLCanvasElement>("#overlay")!;
        const overlay = document.querySelector<HTMLCanvasElement>("#overlay")!.getContext("2d")!;
        const { data } = overlay.getImageData(0, 0, width, height);
        const strength = (x: number, y: number) => data[(y * width + x) * 4 + 3];
        return { size: [width, height], ship: strength(240, 165), corner: strength(10, 350) };
      });
      expect(warm.size).toEqual([480, 360]);
      expect(warm.ship).toBeGreaterThan(warm.corner);
      const [saved] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
      const png = await readFile(await saved.path());
      expect([...png.subarray(1, 4)]).toEqual([..."PNG"].map((letter) => letter.charCodeAt(0)));
      expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([480, 360]);
      expect(await page.textContent("#times tr")).toMatch(/^WebAssembly, one thread[\d.]+ m?s/);
      await page.click("#compare");
      await page.waitForSelector('#compare-status:has-text("The middle of five runs each.")');
      const compared = await page.locator("#device option:not(:has-text('emulated'))").count();
      expect(await page.locator("#times tr").count()).toBe(compared - 1);
      // another picture ends the explanation
      await sample(page, "Plane");
      await best(page, "airplane");
      expect(await page.isHidden("#explain")).toBe(true);
    }));

  it("computes on WebGPU, switches the device and keeps the times of both", () =>
    open(
      "classify",
      async (page) => {
        await sample(page, "Truck");
        await best(page, "truck");
        await page.selectOption("#device", "wasm-1");
        await page.waitForSelector("#times tr:nth-child(2)");
        const devices = await page.locator("#times th").allTextContents();
        expect(devices.sort()).toEqual(["WebAssembly, one thread", "WebGPU, emulated"]);
        await best(page, "truck");
      },
      { device: "webgpu-software" },
    ));

  it("follows the camera, and holds its picture", () =>
    open("classify", async (page) => {
      await page.click("#camera");
      await best(page, "ship");
      expect(await page.textContent("#caption")).toBe("Camera");
      await page.click("#camera");
      expect(await page.getAttribute("#camera", "aria-pressed")).toBe("false");
    }));

  it("finds the cells of a blood smear, fewer of them when it has to be surer", () =>
    open("detect", async (page) => {
      await sample(page, "Blood cells");
      await page.waitForFunction(() => /RBC/.test(document.querySelector("#found-count")!.textContent ?? ""));
      expect(await page.textContent("#found-count")).toMatch(/^\d+ × RBC, 1 × WBC$/);
      const all = await page.locator("#boxes .box").count();
      await page.fill("#threshold", "65");
      const sure = await page.locator("#boxes .box").count();
      expect(all).toBeGreaterThan(15);
      expect(sure).toBeGreaterThan(0);
      expect(sure).toBeLessThan(all);
    }));

  it("recognises what it was taught, and forgets it again", () =>
    open("teach", async (page) => {
      await page.waitForSelector("#teach [data-state=ready]");
      for (const [picture, name] of [
        ["Ship", "my boat"],
        ["Plane", "my kite"],
      ]) {
        await sample(page, picture);
        await page.waitForFunction(
          (text) => document.querySelector("#caption")!.textContent!.startsWith(text),
          picture,
        );
        await page.fill("#example-name", name);
        await page.click("#add-example");
        await page.waitForSelector(`#examples li:has-text("${name}")`);
      }
      await page.waitForFunction(() => document.querySelector("#recognised")!.textContent === "my kite");
      await sample(page, "Ship");
      await page.waitForFunction(() => document.querySelector("#recognised")!.textContent === "my boat");
      const [saved] = await Promise.all([page.waitForEvent("download"), page.click("#gallery-save")]);
      await page.click("#gallery-clear");
      await page.waitForSelector("#gallery-save:disabled");
      await page.setInputFiles("#gallery-open", {
        name: "examples.safetensors",
        mimeType: "application/octet-stream",
        buffer: await readFile(await saved.path()),
      });
      await page.waitForSelector('#examples li:has-text("my kite: 1 from the file")');
    }));

  it("trains a network in a worker with live curves, and reads what is drawn", () =>
    open(
      "train",
      async (page) => {
        await page.selectOption("#train-images", "1000");
        await page.fill("#train-epochs", "2");
        await page.click("#train-start");
        await page.waitForFunction(() =>
          /^Done after 32 steps/.test(document.querySelector("#train-state")!.textContent ?? ""),
        );
        const said = await page.textContent("#train-state");
        // ten digits: guessing gives a tenth
        expect(Number(/([\d.]+) %/.exec(said ?? "")?.[1])).toBeGreaterThan(50);
        expect(await page.getAttribute("#curve", "aria-label")).toMatch(/^Loss 0\.\d+.* after step 32\.$/);
        expect(await page.locator("#test-digits li").count()).toBe(24);
        // a one, by the keyboard
        await page.focus("#pad-keys");
        for (let step = 0; step < 8; step++) await page.keyboard.press("ArrowUp");
        await page.keyboard.press(" ");
        for (let step = 0; step < 16; step++) await page.keyboard.press("ArrowDown");
        await page.waitForFunction(() => /^1, /.test(document.querySelector("#pad-answer")!.textContent!));
        // what was learnt is still there in a new page
        await page.reload();
        await page.selectOption("#train-images", "1000");
        await page.waitForSelector('#train-start:has-text("Go on after step 32")');
      },
      { device: "auto" },
    ));

  it("pauses, stops and reloads a training, which ends as one that was left alone", () =>
    open("train", async (page) => {
      const training = new TrainPage(page);
      // far more than it is left alone for, however slowly this test looks
      await training.begin("start", 50);
      const first = await training.pause();
      expect(await page.textContent("#train-pause")).toBe("Go on");
      await training.press("pause");
      await training.stepsBeyond(first);
      const second = await training.pause();
      expect(second).toBeGreaterThan(first);
      await training.press("stop");
      expect(await training.says(/^Stopped after (\d+) steps/)).toBe(second);
      expect(await training.savedStep(1)).toBe(second);

      // on from the stop, until an epoch's end is saved and the page is loaded anew
      await training.begin("start", 50);
      const ending = 16 * (Math.floor(second / 16) + 1);
      await training.stepsBeyond(ending);
      await page.reload();
      const saved = await training.savedStep(ending);
      await training.begin("start", 1);
      const parts = await training.end();
      const epochs = Math.floor(saved / 16) + 1;
      expect(parts.words).toMatch(
        new RegExp(`^Done after ${16 * epochs} steps\\. It reads [\\d.]+ % of new digits right\\.$`),
      );

      await training.begin("anew", epochs);
      expect(await training.end()).toEqual(parts);
    }));

  it("starts no training before it is known what is saved", () => {
    const gate = new EventTarget();
    const isOpen = once(gate, "open");
    return open(
      "train",
      async (page) => {
        expect(await page.isDisabled("#train-start")).toBe(true);
        gate.dispatchEvent(new Event("open"));
        await page.waitForSelector('#train-start:enabled:has-text("Train")');
      },
      { prepare: (page) => page.route(/train-view-.*\.js$/, (route) => isOpen.then(() => route.continue())) },
    );
  });

  it("opens a model's folder, and says in a sentence what does not work", () =>
    open("classify", async (page) => {
      await page.waitForSelector("#classify [data-state=ready]");
      const notice = (words: string) => page.waitForSelector(`.notice p:has-text("${words}")`);
      await page.fill("#classify [name=model]", "no-such-model");
      await page.keyboard.press("Enter");
      await notice("There is no model of that name.");
      await page.setInputFiles("#file", {
        name: "notes.png",
        mimeType: "image/png",
        buffer: Buffer.from("no picture"),
      });
      await notice("This is no picture that can be read.");
      await page.setInputFiles(
        "#classify [name=folder]",
        here("../../../packages/vision/pretrained/cifar10-small"),
      );
      await page.waitForFunction(
        () =>
          document.querySelector<HTMLInputElement>("#classify [name=model]")!.value === "cifar10-small" &&
          document.querySelector("#classify [data-state=ready]") !== null,
      );
      await sample(page, "Ship");
      await best(page, "ship");
      expect(await page.locator(".notice").count()).toBe(0);
      await page.evaluate(async () => {
        const data = new DataTransfer();
        data.items.add(new File([await (await fetch("samples/truck.jpg")).blob()], "dropped.jpg"));
        dispatchEvent(new DragEvent("drop", { dataTransfer: data }));
      });
      await page.waitForSelector('#stage[data-answered="dropped.jpg"]');
      await best(page, "truck");
      await page.evaluate(() => {
        navigator.mediaDevices.getUserMedia = () =>
          Promise.reject(new DOMException("denied", "NotAllowedError"));
      });
      await page.click("#camera");
      await notice("This page may not use the camera.");
      await page.fill("#classify [name=model]", "mnist-digits");
      await page.keyboard.press("Enter");
      await sample(page, "A digit");
      await best(page, "7");
    }));

  it("works with one thread on a page that is not isolated", async () => {
    const plain = await serve({
      "Cross-Origin-Opener-Policy": "unsafe-none",
      "Cross-Origin-Embedder-Policy": "unsafe-none",
    });
    try {
      await open(
        "classify",
        async (page) => {
          expect(await page.evaluate(() => globalThis.crossOriginIsolated)).toBe(false);
          await sample(page, "Ship");
          await best(page, "ship");
          expect(await page.textContent("#times th")).toBe("WebAssembly, one thread");
        },
        { device: "auto", address: addressOf(plain) },
      );
    } finally {
      await plain.close();
    }
  });

  it("has no serious violation of accessibility, fits a phone and goes by the keyboard", () =>
    open(
      "classify",
      async (page) => {
        const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
        await page.addScriptTag({ path: axe });
        await sample(page, "Ship");
        await best(page, "ship");
        await page.focus("#tab-classify");
        for (const [theme, tab] of [
          ["light", "classify"],
          ["dark", "detect"],
          ["light", "teach"],
          ["dark", "train"],
        ]) {
          await page.evaluate((name) => {
            document.documentElement.dataset.theme = name;
          }, theme);
          expect(await page.getAttribute(`#tab-${tab}`, "aria-selected")).toBe("true");
          await page.waitForSelector(tab === "train" ? "#train-start:enabled" : `#${tab} [data-state=ready]`);
          // colours that are still changing are none yet
          await page.waitForFunction(() => document.getAnimations().length === 0);
          const { violations } = await page.evaluate(() =>
            (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
          );
          const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
          expect(grave.map(({ id, nodes }) => `${tab}, ${theme}: ${id}: ${nodes[0].html}`)).toEqual([]);
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          expect(overflow).toBeLessThanOrEqual(0);
          await page.keyboard.press("ArrowRight");
        }
        expect(await page.getAttribute("#tab-classify", "aria-selected")).toBe("true");
      },
      { width: 360 },
    ));

  it.skipIf(!existsSync(photos))("knows photos", async () => {
    const found: { name: string; mimeType: string; buffer: Buffer }[] = [];
    for await (const { path, bytes } of readTar(createReadStream(photos))) {
      const [, label] = /test\/(\w+)\/\d+\.jpg$/.exec(path) ?? [];
      if (label !== undefined && found.every(({ name }) => name !== label))
        found.push({ name: label, mimeType: "image/jpeg", buffer: Buffer.from(bytes) });
    }
    expect(found).toHaveLength(10);
    await open("classify", async (page) => {
      let right = 0;
      for (const photo of found) {
        await page.setInputFiles("#file", photo);
        await page.waitForSelector(`#stage[data-answered="${photo.name}"]`);
        const said = await page.textContent("#classes li:first-child .name");
        if (said === photo.name) right++;
      }
      expect(right).toBeGreaterThanOrEqual(6);
    });
  });
});
