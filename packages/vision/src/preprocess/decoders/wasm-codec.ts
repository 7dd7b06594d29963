import { damaged } from "./damaged.js";

/** What an Emscripten decoder gives: RGBA. */
interface DecodedImage {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** A running decoder of @jsquash. */
export interface EmscriptenDecoder {
  decode(bytes: Uint8Array, ...flags: readonly boolean[]): DecodedImage | null;
}

interface EmscriptenOptions {
  readonly noInitialRun: boolean;
  readonly print: (line: string) => void;
  readonly printErr: (line: string) => void;
  readonly instantiateWasm: (
    imports: WebAssembly.Imports,
    start: (instance: WebAssembly.Instance) => void,
  ) => WebAssembly.Exports;
}

/** Makes a decoder; the default export of @jsquash's `codec/dec/*.js`. */
export type EmscriptenFactory = (options: EmscriptenOptions) => Promise<EmscriptenDecoder>;

/** Above this many pixels a decoder is not kept: its memory never shrinks. */
const MAX_KEPT_PIXELS = 2 ** 24;

async function compile(deflated: string): Promise<WebAssembly.Module> {
  const bytes = Uint8Array.from(atob(deflated), (character) => character.charCodeAt(0));
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return WebAssembly.compile(await new Response(inflated).arrayBuffer());
}

/** A decoder compiled once from an embedded binary and started again after a file that broke it. */
export class WasmCodec {
  readonly #factory: EmscriptenFactory;
  readonly #binary: string;
  #module?: Promise<WebAssembly.Module>;
  #decoder?: Promise<EmscriptenDecoder>;
  #lines: string[] = [];

  readonly #flags: readonly boolean[];

  /** @param flags What the decoder's `decode` takes after the bytes. */
  constructor(factory: EmscriptenFactory, binary: string, flags: readonly boolean[] = []) {
    this.#factory = factory;
    this.#binary = binary;
    this.#flags = flags;
  }

  /**
   * Decodes one file.
   * @returns the pixels as RGBA, and what the decoder wrote about the file.
   * @throws InputError when it cannot.
   */
  async decode(bytes: Uint8Array, name: string): Promise<{ image: DecodedImage; remarks: string[] }> {
    let decoder: EmscriptenDecoder;
    let starting: Promise<EmscriptenDecoder>;
    do {
      this.#decoder ??= this.#start().catch((error) => {
        this.#decoder = undefined; // the next picture may try again
        throw error;
      });
      starting = this.#decoder;
      decoder = await starting;
      // another picture that waited beside this one may have broken it
    } while (starting !== this.#decoder);
    this.#lines = [];
    let image: DecodedImage | null = null;
    try {
      image = withImageData(() => decoder.decode(bytes, ...this.#flags));
    } catch (error) {
      // the decoder's state is unknown after an exit or a trap
      this.#decoder = undefined;
      throw damaged(
        name,
        "a picture that decodes",
        this.#lines[0]?.trim() ?? String((error as Error).message),
      );
    }
    if (image === null) throw damaged(name, "a picture that decodes", this.#lines[0]?.trim() ?? "an error");
    if (image.width * image.height > MAX_KEPT_PIXELS) this.#decoder = undefined;
    return { image, remarks: this.#lines };
  }

  async #start(): Promise<EmscriptenDecoder> {
    this.#module ??= compile(this.#binary);
    const compiled = await this.#module;
    const had = "ImageData" in globalThis;
    let failed: (error: unknown) => void = () => undefined;
    const failure = new Promise<never>((_, reject) => {
      failed = reject;
    });
    const keep = (line: string): void => void this.#lines.push(line);
    const started = this.#factory({
      noInitialRun: true,
      print: keep,
      printErr: keep,
      instantiateWasm: (imports, start) => {
        WebAssembly.instantiate(compiled, imports).then(start, failed);
        return {};
      },
    });
    const decoder = await Promise.race([started, failure]);
    // its start puts one there in Node
    if (!had) delete (globalThis as { ImageData?: unknown }).ImageData;
    return decoder;
  }
}

/** The decoders make an `ImageData`; where there is none they get a plain one for as long as the call takes. */
function withImageData<T>(run: () => T): T {
  if ("ImageData" in globalThis) return run();
  const scope = globalThis as { ImageData?: unknown };
  scope.ImageData = class {
    constructor(
      readonly data: Uint8ClampedArray,
      readonly width: number,
      readonly height: number,
    ) {}
  };
  try {
    return run();
  } finally {
    delete scope.ImageData;
  }
}
