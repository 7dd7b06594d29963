import { InputError } from "@ai/tensor";

/** Reads the `config.json` of a Hugging Face model field by field; what is missing has the default of its Python class. */
export class HuggingFaceConfig {
  readonly #model: string;
  readonly #json: Readonly<Record<string, unknown>>;

  /** @throws InputError when `json` is not an object or its `model_type` is none of `types`. */
  constructor(model: string, json: Readonly<Record<string, unknown>>, types: readonly string[]) {
    if (typeof json !== "object" || json === null || Array.isArray(json))
      throw new InputError(`${model}: expected the content of a config.json, got ${typeof json}`);
    this.#model = model;
    this.#json = json;
    const type = json.model_type;
    if (!types.includes(type as string))
      throw new InputError(
        `${model}: expected a config.json of model_type ${types.join(" or ")}, got ${String(type)}`,
      );
  }

  /** Which of the `types` it is. */
  get modelType(): string {
    return this.#json.model_type as string;
  }

  #fail(name: string, expected: string): never {
    const value = JSON.stringify(this.#json[name]);
    throw new InputError(`${this.#model}: expected ${name} ${expected} in config.json, got ${value}`);
  }

  /** A finite number. */
  number(name: string, fallback: number): number {
    const value = this.#json[name] ?? fallback;
    return typeof value === "number" && Number.isFinite(value) ? value : this.#fail(name, "as a number");
  }

  /** A list of finite numbers. */
  numbers(name: string, fallback: readonly number[]): readonly number[] {
    const value = this.#json[name] ?? fallback;
    return Array.isArray(value) && value.every(Number.isFinite) ? [...value] : this.#fail(name, "as numbers");
  }

  /** True or false. */
  flag(name: string, fallback: boolean): boolean {
    const value = this.#json[name] ?? fallback;
    return typeof value === "boolean" ? value : this.#fail(name, "true or false");
  }

  /** One of some words. */
  oneOf<Word extends string>(name: string, words: readonly Word[], fallback: Word): Word {
    const value = (this.#json[name] ?? fallback) as Word;
    return words.includes(value) ? value : this.#fail(name, words.map((word) => `"${word}"`).join(" or "));
  }

  /** Whether the file has the field, and not as null. */
  has(name: string): boolean {
    return this.#json[name] !== undefined && this.#json[name] !== null;
  }

  /** A field that only one value of is supported. */
  expect(name: string, supported: unknown): void {
    const value = this.#json[name] ?? supported;
    if (JSON.stringify(value) !== JSON.stringify(supported)) this.#fail(name, JSON.stringify(supported));
  }

  /** Number of classes: of the labels where there are some, else as Python has it. */
  numClasses(): number {
    const labels = this.#json.id2label;
    if (typeof labels === "object" && labels !== null) return Object.keys(labels).length;
    return this.number("num_labels", 2);
  }
}
