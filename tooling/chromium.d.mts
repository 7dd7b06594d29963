/** Where Chromium is; undefined when there is none. */
export function findChromium(environment?: Readonly<Record<string, string | undefined>>): string | undefined;
/** Flags for a headless run. */
export const CHROMIUM_FLAGS: string[];
