import { inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    hubUrl: string;
  }
}

/** A file of a test repository: text, or `size` bytes made from `seed`; a large one lies on the second server. */
export interface TestFile {
  readonly text?: string;
  readonly size?: number;
  readonly seed?: number;
  readonly large?: boolean;
}

/** What goes wrong at the next `times` requests (default 1) of a kind; `tooling/hub/hub.mjs` says what each does. */
export interface TestFault {
  readonly on: "info" | "file" | "cdn";
  readonly file?: string;
  readonly times?: number;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly truncateAt?: number;
  readonly lingerMilliseconds?: number;
  readonly stallAt?: number;
  readonly trickleAt?: number;
  readonly corruptAt?: number;
  readonly extraBytes?: number;
  readonly ignoreRange?: boolean;
  readonly slowMilliseconds?: number;
  readonly location?: string;
  readonly isDropped?: boolean;
}

/** What the test hub has under an id. */
export interface TestRepository {
  readonly commit?: string;
  readonly files: Readonly<Record<string, TestFile>>;
  readonly revisions?: Readonly<Record<string, string>>;
  readonly token?: string;
  readonly faults?: readonly TestFault[];
  readonly siblings?: unknown;
  readonly hasNoDetails?: boolean;
}

/** A request that the test hub got. */
export interface TestRequest {
  readonly server: "hub" | "cdn";
  readonly method: string;
  readonly path: string;
  readonly range?: string;
  readonly authorization?: string;
}

/** The commit of a repository that names none. */
export const TEST_COMMIT = "0123456789abcdef0123456789abcdef01234567";

/** Address of the hub that Vitest's global setup started. */
export function testHubUrl(): string {
  return inject("hubUrl");
}

/** Says what a repository of the hub has and what goes wrong with it; with no id it gets one of its own. */
export async function putRepository(repository: TestRepository, id = newRepositoryId()): Promise<string> {
  await fetch(`${testHubUrl()}/control/${id}`, {
    method: "PUT",
    body: JSON.stringify({ commit: TEST_COMMIT, ...repository }),
  });
  return id;
}

/** An id that no other test has. */
export function newRepositoryId(): string {
  return `test/model-${crypto.randomUUID().slice(0, 8)}`;
}

/** The requests for a repository, first first. */
export async function requestsFor(id: string): Promise<TestRequest[]> {
  return (await fetch(`${testHubUrl()}/control/${id}/log`)).json() as Promise<TestRequest[]>;
}

/** Requests for the bytes of large files. */
export async function downloadsOf(id: string): Promise<TestRequest[]> {
  return (await requestsFor(id)).filter(({ server }) => server === "cdn");
}

/** The true bytes of a file of a test repository. */
export async function trueBytes(id: string, file: string): Promise<Uint8Array> {
  return new Uint8Array(await (await fetch(`${testHubUrl()}/control/${id}/raw/${file}`)).arrayBuffer());
}
