const MOST_CHARACTERS = 1024;

/**
 * Whether `file` names a file inside a folder by segments with `/`: neither absolute nor leading out of it, on any
 * system. Names come from servers and indexes, so that none may write or read elsewhere.
 */
export function isFileName(file: unknown): file is string {
  if (typeof file !== "string" || file === "" || file.length > MOST_CHARACTERS) return false;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  if (/[\\\u0000-\u001f\u007f]/.test(file) || /^[a-z]:/i.test(file)) return false;
  // on Windows a colon leads to another stream of a file, and a trailing dot or space is dropped
  if (globalThis.process?.platform === "win32" && /:|[. ](?:\/|$)/.test(file)) return false;
  return file.split("/").every((segment) => segment !== "" && segment !== "." && segment !== "..");
}

/** Folder and name put together; the folder may be empty. */
export function joinNames(folder: string, file: string): string {
  return folder === "" ? file : `${folder}/${file}`;
}
