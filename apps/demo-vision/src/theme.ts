import { byId } from "./page.js";

/** Lets the user choose light or dark, and remembers it; `index.html` sets it before anything is drawn. */
export function startTheme(): void {
  const select = byId<HTMLSelectElement>("theme");
  const root = document.documentElement;
  select.value = root.dataset.theme ?? "auto";
  select.onchange = () => {
    root.dataset.theme = select.value;
    localStorage.setItem("theme", select.value);
    dispatchEvent(new Event("themechange"));
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    dispatchEvent(new Event("themechange")),
  );
}

/** A colour of the page's style, as it is in the theme now. */
export const themeColor = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
