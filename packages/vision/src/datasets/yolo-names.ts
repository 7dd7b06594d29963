import { InputError } from "@ai/tensor";

/** More classes than any data set has: a higher number is a mistake, not a list to make. */
export const MAX_CLASSES = 100_000;

/** A name as YAML writes it: plain or quoted, with a comment behind. */
function unquoted(text: string): string {
  const quoted = /^\s*(["'])(.*?)\1/.exec(text);
  return quoted === null ? text.replace(/\s+#.*$/, "").trim() : quoted[2];
}

/**
 * Names of a YOLO data set's classes.
 * @param isYaml Whether the text is a `data.yaml` with `names` as a list, a list in brackets or a map from numbers (in braces too); else
 * one name a line.
 * @returns undefined where a YAML file has none.
 * @throws InputError for numbers from {@link MAX_CLASSES} on, or a map in braces that is not one from numbers to names.
 */
export function parseYoloNames(text: string, isYaml: boolean, file: string): readonly string[] | undefined {
  const lines = text.split(/\r?\n/);
  if (!isYaml) return lines.map((line) => line.trim()).filter((line) => line !== "");
  const at = lines.findIndex((line) => /^names\s*:/.test(line));
  if (at < 0) return undefined;
  const rest = lines[at].replace(/^names\s*:/, "").trim();
  if (rest.startsWith("[")) {
    const list = /\[([^\]]*)\]/.exec([rest, ...lines.slice(at + 1)].join(" "))?.[1] ?? "";
    return (list.match(/"[^"]*"|'[^']*'|[^,]+/g) ?? []).map(unquoted).filter((name) => name !== "");
  }
  if (rest.startsWith("{")) return named(pairsInBraces([rest, ...lines.slice(at + 1)].join(" "), file), file);
  const names: string[] = [];
  const pairs: Pair[] = [];
  for (const line of lines.slice(at + 1)) {
    if (/^\s*(#.*)?$/.test(line)) continue;
    const item = /^\s*-\s+(.*)$/.exec(line);
    const pair = /^\s+(\d+)\s*:\s*(.*)$/.exec(line);
    if (item !== null) names.push(unquoted(item[1]));
    else if (pair !== null) pairs.push([Number(pair[1]), unquoted(pair[2])]);
    else break;
  }
  return names.length === 0 ? named(pairs, file) : names;
}

type Pair = readonly [label: number, name: string];

/** Names by number; numbers that were left out keep their place. */
function named(pairs: readonly Pair[], file: string): readonly string[] | undefined {
  const names: string[] = [];
  for (const [label, name] of pairs) {
    if (label >= MAX_CLASSES)
      throw new InputError(
        `openPictureSplits: ${file}: expected numbers of classes below ${MAX_CLASSES}, got ${label}: ${name}; number them from 0 on`,
      );
    names[label] = name;
  }
  return names.length === 0 ? undefined : Array.from(names, (name, label) => name ?? String(label));
}

/** What stands in `{0: person, 1: 'a, b'}`. */
function pairsInBraces(text: string, file: string): Pair[] {
  const pair = /\s*["']?(\d+)["']?\s*:\s*("[^"]*"|'[^']*'|[^,}]*)\s*([,}])(\s*\})?/y;
  const found: Pair[] = [];
  pair.lastIndex = 1;
  for (let match = pair.exec(text); match !== null; match = pair.exec(text)) {
    const [, label, name, end, closed] = match;
    found.push([Number(label), unquoted(name)]);
    if (end === "}" || closed !== undefined) return found;
  }
  throw new InputError(
    `openPictureSplits: ${file}: expected names as {0: person, 1: car}, got ${text.slice(0, 60)}; number the classes from 0 on`,
  );
}
