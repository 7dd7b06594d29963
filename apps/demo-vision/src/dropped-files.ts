/** Files of a model, or a picture. */
export type Dropped =
  | { readonly kind: "picture"; readonly file: File }
  | { readonly kind: "model"; readonly files: ReadonlyMap<string, File>; readonly name: string };

async function filesOf(entry: FileSystemEntry, path: string, found: Map<string, File>): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    found.set(path, file);
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // a reader gives a part of the entries each time
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (part.length === 0) return;
    for (const inner of part) await filesOf(inner, path === "" ? inner.name : `${path}/${inner.name}`, found);
  }
}

/** What a user dropped or pasted: one file that is no part of a model is a picture. */
export async function droppedOf(data: DataTransfer): Promise<Dropped | undefined> {
  const items = [...data.items].filter(({ kind }) => kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const files = [...data.files]; // read before anything is awaited: then it is empty
  if (files.length === 0 && entries.length === 0) return undefined;
  const folder = entries.find(({ isDirectory }) => isDirectory);
  if (
    folder === undefined &&
    files.length === 1 &&
    !/\.(safetensors|json|pth?|th|bin|onnx)$/i.test(files[0].name)
  )
    return { kind: "picture", file: files[0] };
  const found = new Map<string, File>();
  if (folder !== undefined) await filesOf(folder, "", found);
  else for (const file of files) found.set(file.name, file);
  return { kind: "model", files: found, name: folder?.name ?? files[0].name };
}

/** The files of a folder that was chosen, by their path in it. */
export function chosenFolder(files: readonly File[]): ReadonlyMap<string, File> {
  return new Map(
    files.map((file) => [file.webkitRelativePath.split("/").slice(1).join("/") || file.name, file]),
  );
}
