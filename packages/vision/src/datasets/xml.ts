import { InputError } from "@ai/tensor";

/** An element of a small XML file. */
export interface XmlElement {
  readonly name: string;
  /** The text directly in it, trimmed. */
  text: string;
  readonly children: XmlElement[];
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/** Characters of the five entities and of numbers; declared entities are not known. */
function decoded(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (whole, decimal, hex, name) => {
    const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal);
    if (name === undefined) return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    return ENTITIES[name] ?? whole;
  });
}

/** Deeper than any annotation. */
const MAX_DEPTH = 64;

/**
 * Reads the elements and texts of an XML file; attributes, comments and declarations are passed over.
 * @throws InputError when tags do not match, naming the file.
 */
export function parseXml(text: string, name: string): XmlElement {
  const root: XmlElement = { name: "", text: "", children: [] };
  const open = [root];
  const fail = (got: string): never => {
    throw new InputError(`${name}: expected XML, got ${got}`);
  };
  // comment, CDATA, declaration, tag, text: each alternative takes at least one character
  const tokens =
    /<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<[?!][^>]*>|<(\/?)([\w.:-]+)(?:\s[^<>]*?)?(\/?)>|([^<]+)/g;
  let position = 0;
  for (const token of text.matchAll(tokens)) {
    if (token.index !== position)
      fail(`${JSON.stringify(text.slice(position, position + 20))} at ${position}`);
    position = token.index + token[0].length;
    const [, data, closing, tag, empty, plain] = token;
    const current = open[open.length - 1];
    if (data !== undefined) current.text += data;
    else if (plain !== undefined) current.text += decoded(plain);
    else if (tag === undefined) continue;
    else if (closing === "/") {
      if (open.length === 1 || current.name !== tag) fail(`</${tag}> where <${current.name}> is open`);
      current.text = current.text.trim();
      open.pop();
    } else {
      const element: XmlElement = { name: tag, text: "", children: [] };
      current.children.push(element);
      if (empty !== "/") open.push(element);
      if (open.length > MAX_DEPTH) fail(`more than ${MAX_DEPTH} elements in each other`);
    }
  }
  if (position !== text.length) fail(`${JSON.stringify(text.slice(position, position + 20))} at ${position}`);
  if (open.length > 1) fail(`an end inside <${open[open.length - 1].name}>`);
  if (root.children.length !== 1) fail(`${root.children.length} elements at the top`);
  return root.children[0];
}

/** The first child of a name. */
export function childOf(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((child) => child.name === name);
}
