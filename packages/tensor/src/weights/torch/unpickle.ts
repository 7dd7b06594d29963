import type { PickleBytes } from "./pickle-bytes.js";
import { smallInteger } from "./pickle-bytes.js";
import { describeValue, PickleDict, PickleGlobal, type PickleValue } from "./pickle-values.js";

/** What the functions of a pickle's names mean; a pickle itself runs nothing. */
export interface PickleMeaning {
  /** Whether a name, `module.name`, may stand in the pickle. */
  isAllowed(path: string): boolean;
  /** What an allowed name gives for arguments. `fail` throws. */
  call(path: string, values: readonly PickleValue[], fail: (problem: string) => never): PickleValue;
  /** What a reference to something outside of the pickle means. */
  persistent(id: PickleValue, fail: (problem: string) => never): PickleValue;
}

/** Instructions of one pickle: a tensor of a state dict takes 40. */
const MOST_INSTRUCTIONS = 4_000_000;
const MOST_INTEGER_BYTES = 1024;

const char = (character: string): number => character.charCodeAt(0);

/**
 * Reads one pickle of protocol 0 to 5. Names are looked up in `meaning` alone; a name that it does not allow, such as
 * `os.system`, is an error that says it.
 * @returns the value; `bytes` stands behind the pickle
 * @throws WeightsError for a refused name and a damaged pickle, PickleGoesOn when more bytes are needed.
 */
export function unpickle(bytes: PickleBytes, meaning: PickleMeaning): PickleValue {
  return new Machine(bytes, meaning).run();
}

class Machine {
  readonly #bytes: PickleBytes;
  readonly #meaning: PickleMeaning;
  #stack: PickleValue[] = [];
  readonly #marks: PickleValue[][] = [];
  readonly #memo = new Map<number, PickleValue>();
  #at = 0;

  constructor(bytes: PickleBytes, meaning: PickleMeaning) {
    this.#bytes = bytes;
    this.#meaning = meaning;
  }

  run(): PickleValue {
    for (let count = 0; count < MOST_INSTRUCTIONS; count++) {
      this.#at = this.#bytes.offset;
      const code = this.#bytes.uint8();
      if (code === char(".")) return this.#pop();
      const value = this.#scalar(code);
      if (value !== undefined) this.#stack.push(value);
      else if (!this.#container(code) && !this.#memory(code) && !this.#object(code))
        this.#bytes.fail("an instruction of a pickle", `0x${code.toString(16).padStart(2, "0")}`, this.#at);
    }
    return this.#bytes.fail(`at most ${MOST_INSTRUCTIONS} instructions`, "more", this.#at);
  }

  readonly #fail = (problem: string): never => this.#bytes.fail("what torch.save writes", problem, this.#at);

  #pop(): PickleValue {
    const value = this.#stack.pop();
    return value === undefined ? this.#fail("an instruction without its value") : value;
  }

  #top(): PickleValue {
    const value = this.#stack.at(-1);
    return value === undefined ? this.#fail("an instruction without its value") : value;
  }

  /** What was pushed since the last mark. */
  #popMark(): PickleValue[] {
    const before = this.#marks.pop();
    if (before === undefined) return this.#fail("an instruction without its mark");
    const items = this.#stack;
    this.#stack = before;
    return items;
  }

  /** A value that stands in the pickle as it is; undefined for another instruction. */
  #scalar(code: number): PickleValue | undefined {
    const bytes = this.#bytes;
    switch (code) {
      case char("N"):
        return null;
      case 0x88:
        return true;
      case 0x89:
        return false;
      case char("I"): {
        const text = bytes.line();
        return text === "01" ? true : text === "00" ? false : this.#decimal(text);
      }
      case char("L"):
        return this.#decimal(bytes.line().replace(/L$/, ""));
      case char("J"):
        return bytes.int32();
      case char("K"):
        return bytes.uint8();
      case char("M"):
        return bytes.uint16();
      case 0x8a:
        return bytes.integer(bytes.uint8(), MOST_INTEGER_BYTES);
      case 0x8b:
        return bytes.integer(bytes.uint32(), MOST_INTEGER_BYTES);
      case char("F"):
        return this.#float(bytes.line());
      case char("G"):
        return bytes.float64();
      case char("S"): {
        const text = bytes.line();
        const quote = text[0];
        if (text.length < 2 || (quote !== "'" && quote !== '"') || !text.endsWith(quote))
          return this.#fail("text without quotes");
        return text.slice(1, -1);
      }
      case char("V"):
        return bytes.line();
      case char("U"):
      case 0x8c:
        return bytes.string(bytes.uint8());
      case char("T"):
      case char("X"):
        return bytes.string(bytes.uint32());
      case 0x8d:
        return bytes.string(bytes.uint64());
      case char("C"):
        return bytes.bytes(bytes.uint8());
      case char("B"):
        return bytes.bytes(bytes.uint32());
      case 0x8e:
      case 0x96:
        return bytes.bytes(bytes.uint64());
      default:
        return undefined;
    }
  }

  #decimal(text: string): PickleValue {
    if (!/^[+-]?\d{1,2000}$/.test(text)) return this.#fail("an integer with other characters");
    return smallInteger(BigInt(text.replace(/^\+/, "")));
  }

  #float(text: string): PickleValue {
    if (/^[+-]?inf$/.test(text)) return text[0] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    if (/^[+-]?nan$/.test(text)) return Number.NaN;
    const value = Number(text);
    return text.trim() === "" || Number.isNaN(value) ? this.#fail("a float with other characters") : value;
  }

  /** Lists, tuples, sets, dicts. */
  #container(code: number): boolean {
    const stack = this.#stack;
    switch (code) {
      case char("]"):
      case char(")"):
      case 0x8f:
        stack.push([]);
        return true;
      case char("}"):
        stack.push(new PickleDict());
        return true;
      case char("("):
        this.#marks.push(stack);
        this.#stack = [];
        return true;
      case char("l"):
      case char("t"):
      case 0x91: {
        const items = this.#popMark();
        this.#stack.push(items);
        return true;
      }
      case char("d"): {
        const items = this.#popMark();
        const dict = new PickleDict();
        this.#setItems(dict, items);
        this.#stack.push(dict);
        return true;
      }
      case 0x85:
      case 0x86:
      case 0x87: {
        const count = code - 0x84;
        if (stack.length < count) this.#fail("a tuple without its values");
        stack.push(stack.splice(stack.length - count));
        return true;
      }
      case char("a"): {
        const item = this.#pop();
        this.#list().push(item);
        return true;
      }
      case char("e"):
      case 0x90: {
        const items = this.#popMark();
        const list = this.#list();
        for (const item of items) list.push(item);
        return true;
      }
      case char("s"): {
        const value = this.#pop();
        const key = this.#pop();
        this.#setItems(this.#top(), [key, value]);
        return true;
      }
      case char("u"): {
        const items = this.#popMark();
        this.#setItems(this.#top(), items);
        return true;
      }
      default:
        return false;
    }
  }

  #list(): PickleValue[] {
    const list = this.#top();
    return Array.isArray(list) ? list : this.#fail(`an append to ${describeValue(list)}`);
  }

  #setItems(dict: PickleValue, items: readonly PickleValue[]): void {
    const target = dict instanceof PickleDict ? dict : this.#fail(`a key for ${describeValue(dict)}`);
    if (items.length % 2 === 1) this.#fail("a key without its value");
    for (let index = 0; index < items.length; index += 2) target.set(items[index], items[index + 1]);
  }

  /** The memo, the stack, and what has no meaning here (protocol, frames). */
  #memory(code: number): boolean {
    const bytes = this.#bytes;
    switch (code) {
      case 0x80: {
        const protocol = bytes.uint8();
        if (protocol > 5) this.#fail(`protocol ${protocol}`);
        return true;
      }
      case 0x95:
        bytes.uint64();
        return true;
      case char("0"):
        if (this.#stack.length > 0) this.#stack.pop();
        else this.#popMark();
        return true;
      case char("1"):
        this.#popMark();
        return true;
      case char("2"):
        this.#stack.push(this.#top());
        return true;
      case char("p"):
        this.#put(Number(bytes.line()));
        return true;
      case char("q"):
        this.#put(bytes.uint8());
        return true;
      case char("r"):
        this.#put(bytes.uint32());
        return true;
      case 0x94:
        this.#put(this.#memo.size);
        return true;
      case char("g"):
        this.#get(Number(bytes.line()));
        return true;
      case char("h"):
        this.#get(bytes.uint8());
        return true;
      case char("j"):
        this.#get(bytes.uint32());
        return true;
      default:
        return false;
    }
  }

  #put(index: number): void {
    if (!Number.isSafeInteger(index) || index < 0) this.#fail("a place of the memo that is no number");
    this.#memo.set(index, this.#top());
  }

  #get(index: number): void {
    const value = this.#memo.get(index);
    this.#stack.push(value === undefined ? this.#fail(`the empty place ${index} of the memo`) : value);
  }

  /** Names and what is made by them. */
  #object(code: number): boolean {
    switch (code) {
      case char("c"): {
        const module = this.#bytes.line();
        this.#pushGlobal(module, this.#bytes.line());
        return true;
      }
      case 0x93: {
        const name = this.#pop();
        const module = this.#pop();
        if (typeof name !== "string" || typeof module !== "string")
          return this.#fail("a name that is no text");
        this.#pushGlobal(module, name);
        return true;
      }
      case char("i"): {
        const module = this.#bytes.line();
        this.#pushGlobal(module, this.#bytes.line());
        return this.#fail("an instance of a class of Python 2");
      }
      case char("R"):
      case 0x81: {
        const values = this.#pop();
        this.#call(this.#pop(), values);
        return true;
      }
      case 0x92: {
        const named = this.#pop();
        const values = this.#pop();
        if (!(named instanceof PickleDict) || [...named.entries].length > 0)
          this.#fail("an object made with named arguments");
        this.#call(this.#pop(), values);
        return true;
      }
      case char("b"): {
        // attributes, such as `_metadata` of a state dict: nothing here has any use for them
        this.#pop();
        this.#top();
        return true;
      }
      case char("P"):
        this.#stack.push(this.#meaning.persistent(this.#bytes.line(), this.#fail));
        return true;
      case char("Q"):
        this.#stack.push(this.#meaning.persistent(this.#pop(), this.#fail));
        return true;
      default:
        return false;
    }
  }

  #pushGlobal(module: string, name: string): void {
    const path = `${module}.${name}`;
    if (!this.#meaning.isAllowed(path))
      this.#fail(
        `the name ${JSON.stringify(path.slice(0, 200))}, which is refused: only tensors, dicts, lists and plain values are read, and nothing was run (save model.state_dict() instead of what uses it)`,
      );
    this.#stack.push(new PickleGlobal(path));
  }

  #call(target: PickleValue, values: PickleValue): void {
    this.#stack.push(
      target instanceof PickleGlobal && Array.isArray(values)
        ? this.#meaning.call(target.path, values, this.#fail)
        : this.#fail(`a call of ${describeValue(target)}`),
    );
  }
}
