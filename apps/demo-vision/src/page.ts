/** The element with an id, of the kind that the page says. */
export function byId<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`page: expected an element #${id}, got none; see index.html`);
  return found as Kind;
}

/** A new element with a class, text or children. */
export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className = "",
  ...children: readonly (string | Node)[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  if (className !== "") made.className = className;
  made.append(...children);
  return made;
}

/** Milliseconds for people. */
export function milliseconds(value: number): string {
  if (value >= 10_000) return `${(value / 1000).toFixed(0)} s`;
  if (value >= 1000) return `${(value / 1000).toFixed(1)} s`;
  return value >= 10 ? `${value.toFixed(0)} ms` : `${value.toFixed(1)} ms`;
}

/** A share in [0, 1] for people. */
export const percent = (share: number): string => {
  const hundredths = share * 100;
  return `${hundredths.toFixed(hundredths < 99.95 && hundredths >= 0.05 ? 1 : 0)} %`;
};

/** Gives bytes to the user as a file. */
export function download(content: Uint8Array<ArrayBuffer>, name: string): void {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([content]));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
