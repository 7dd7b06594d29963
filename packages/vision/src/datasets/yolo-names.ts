/** A name as YAML writes it: plain or quoted, with a comment behind. */
function unquoted(text: string): string {
  const quoted = /^\s*(["'])(.*?)\1/.exec(text);
  return quoted === null ? text.replace(/\s+#.*$/, "").trim() : quoted[2];
}

/**
 * Names of a YOLO data set's classes.
 * @param isYaml Whether the text is a `data.yaml` with `names` as a list, a list in brackets or a map from numbers; else
 * one name a line.
 * @returns undefined where a YAML file has none.
 */
export function parseYoloNames(text: string, isYaml: boolean): readonly string[] | undefined {
  const lines = text.split(/\r?\n/);
  if (!isYaml) return lines.map((line) => line.trim()).filter((line) => line !== "");
  const at = lines.findIndex((line) => /^names\s*:/.test(line));
  if (at < 0) return undefined;
  const rest = lines[at].replace(/^names\s*:/, "").trim();
  if (rest.startsWith("[")) {
    const list = /\[([^\]]*)\]/.exec([rest, ...lines.slice(at + 1)].join(" "))?.[1] ?? "";
    return (list.match(/"[^"]*"|'[^']*'|[^,]+/g) ?? []).map(unquoted).filter((name) => name !== "");
  }
  const names: string[] = [];
  for (const line of lines.slice(at + 1)) {
    if (/^\s*(#.*)?$/.test(line)) continue;
    const item = /^\s*-\s+(.*)$/.exec(line);
    const pair = /^\s+(\d+)\s*:\s*(.*)$/.exec(line);
    if (item !== null) names.push(unquoted(item[1]));
    else if (pair !== null) names[Number(pair[1])] = unquoted(pair[2]);
    else break;
  }
  // numbers that were left out keep their place
  return names.length === 0 ? undefined : Array.from(names, (name, label) => name ?? String(label));
}
