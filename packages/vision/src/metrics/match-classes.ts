import { InputError } from "@ai/tensor";

/**
 * Where each class of data is among a model's labels. They belong together by name; `tench, Tinca tinca` is known as
 * itself and by each of its names.
 * @throws InputError for a class that the model lacks.
 */
export function matchClasses(
  operation: string,
  classes: readonly string[],
  labels: readonly string[],
): readonly number[] {
  const places = new Map<string, number>();
  labels.forEach((label, index) => {
    for (const name of label.split(", ")) if (!places.has(name)) places.set(name, index);
  });
  labels.forEach((label, index) => {
    places.set(label, index);
  });
  return classes.map((name) => {
    const place = places.get(name);
    if (place === undefined)
      throw new InputError(
        `${operation}: expected a model that knows the classes of the data, got none of ${JSON.stringify(name)}; it has ${labels.slice(0, 10).join(", ")}${labels.length > 10 ? " …" : ""}`,
      );
    return place;
  });
}
