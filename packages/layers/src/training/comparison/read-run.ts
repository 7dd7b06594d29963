import { InputError } from "@ai/tensor";
import { loadLastCheckpoint, stringify } from "../checkpoint.js";
import type { EpochRecord } from "../history.js";
import type { TrainingStorage } from "../storage.js";
import { curveOf, RECORD_FILE, type RunRecord, readRecord } from "./run-record.js";

/** How deep below a folder runs are looked for. */
const MAX_DEPTH = 3;
const CSV_HEADER = "epoch,step,seconds,learningRate";

/** The names in a folder; none for a file. */
async function namesIn(folder: string, storage: TrainingStorage): Promise<string[]> {
  try {
    return await storage.list(folder);
  } catch {
    return []; // a file
  }
}

/** Files of `csvHistory` in a folder, by name without the ending. */
async function historiesIn(
  folder: string,
  names: readonly string[],
  storage: TrainingStorage,
): Promise<Map<string, readonly EpochRecord[]>> {
  const histories = new Map<string, readonly EpochRecord[]>();
  for (const name of names.filter((each) => each.endsWith(".csv"))) {
    const epochs = epochsOfCsv(new TextDecoder().decode(await storage.read(`${folder}/${name}`)));
    if (epochs !== undefined) histories.set(name.slice(0, -4), epochs);
  }
  return histories;
}

/** A run of which there is no record: by its history and the last checkpoint in one of the places. */
async function remains(
  places: readonly string[],
  epochs: readonly EpochRecord[] | undefined,
  storage: TrainingStorage,
): Promise<RunRecord | undefined> {
  for (const place of places) {
    const state = await loadLastCheckpoint(place, { storage });
    if (state === undefined) continue;
    const { step, epochs: saved } = state.json;
    const curve = curveOf({ losses: [...state.losses], learningRates: [...state.learningRates] });
    return {
      config: {},
      epochs: epochs !== undefined && epochs.length > saved.length ? epochs : saved,
      curve,
      step,
    };
  }
  return epochs === undefined ? undefined : { config: {}, epochs, curve: [], step: epochs.at(-1)?.step ?? 0 };
}

/** What {@link findRuns} knows of a folder from the one above. */
interface Surroundings {
  readonly depth: number;
  /** History that stands beside the folder under its name. */
  readonly beside?: readonly EpochRecord[] | undefined;
  /** The run above, whose checkpoints may be in a folder of any name. */
  readonly above?: RunRecord | undefined;
}

/** Whether the epochs of a checkpoint are the first ones of a run. */
function isOf(run: RunRecord | undefined, { epochs }: RunRecord): boolean {
  return run !== undefined && stringify(epochs) === stringify(run.epochs.slice(0, epochs.length));
}

/**
 * The runs at or below a folder, in the order of their names. What is left of one: `run.json` of `runRecord`, a CSV file of
 * `csvHistory`, or the last checkpoint in the folder or in `checkpoints/`. Of several CSV files each is a run, together with
 * the folder of its name. Checkpoints in a folder below that are of the run above are not another run.
 */
export async function findRuns(
  folder: string,
  storage: TrainingStorage,
  { depth, beside, above }: Surroundings = { depth: 0 },
): Promise<[folder: string, run: RunRecord][]> {
  const names = await namesIn(folder, storage);
  const found: [string, RunRecord][] = [];
  const record = names.includes(RECORD_FILE)
    ? await readRecord(`${folder}/${RECORD_FILE}`, storage)
    : undefined;
  const histories =
    record === undefined
      ? await historiesIn(folder, names, storage)
      : new Map<string, readonly EpochRecord[]>();
  const single = histories.size === 1 ? [...histories.values()][0] : beside;
  const places = [
    ...(names.some((name) => name.startsWith("step-")) ? [folder] : []),
    ...(names.includes("checkpoints") ? [`${folder}/checkpoints`] : []),
  ];
  const own = record ?? (await remains(places, single, storage));
  const isFromCheckpoint = record === undefined && single === undefined;
  if (own !== undefined && !(isFromCheckpoint && isOf(above, own))) found.push([folder, own]);
  if (histories.size > 1)
    for (const [name, epochs] of histories)
      if (!names.includes(name))
        found.push([`${folder}/${name}`, { config: {}, epochs, curve: [], step: epochs.at(-1)?.step ?? 0 }]);
  if (depth === MAX_DEPTH) return found;
  for (const name of names)
    if (name !== "checkpoints" && !name.startsWith("step-"))
      found.push(
        ...(await findRuns(`${folder}/${name}`, storage, {
          depth: depth + 1,
          beside: histories.size > 1 ? histories.get(name) : undefined,
          above: record ?? above,
        })),
      );
  return found.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The epochs of a file of `csvHistory`; undefined for another CSV file. @throws InputError for a cell that is no number. */
export function epochsOfCsv(text: string): EpochRecord[] | undefined {
  const [header, ...rows] = text.split(/\r?\n/).filter((line) => line !== "");
  if (header === undefined || !(header === CSV_HEADER || header.startsWith(`${CSV_HEADER},`)))
    return undefined;
  const names = cellsOf(header).slice(4);
  return rows.map((row) => {
    const cells = cellsOf(row);
    const numbers = cells.map((cell) => (cell === "" ? undefined : Number(cell)));
    const bad = cells.findIndex((cell, index) => cell !== "NaN" && Number.isNaN(numbers[index]));
    if (bad >= 0)
      throw new InputError(
        `compareRuns: expected numbers in a history, got ${cells[bad]}; use a file of csvHistory`,
      );
    const [epoch = 0, step = 0, seconds = 0, learningRate = 0, ...values] = numbers;
    const known = names.flatMap((name, index) => {
      const value = values[index];
      return value === undefined ? [] : [[name, value] as const];
    });
    return { epoch, step, seconds, learningRate, values: Object.fromEntries(known) };
  });
}

/** The cells of a line of CSV; quotes are doubled inside quotes. */
function cellsOf(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "",
  );
}
