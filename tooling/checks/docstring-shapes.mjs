/**
 * Every public export has a docstring, and every tensor parameter of a public function or method tells its shape:
 * `@param x `[batch, length, dim]``. Public is what a package's entries export (test helpers excepted).
 */
import { join } from "node:path";
import ts from "typescript";
import { listPackages, ROOT } from "./files.mjs";

const TENSOR = /\b(Tensor(?:Like|[1-6]D)?|Parameter)\b/;
/** A shape in backticks, `[...]` or `[batch, dim]`, or in words: the shape of `x`, the rank of `x`, as long as `x`. */
const SHAPE = /`\[[^\]`]*\]|\bshape\b|`[A-Za-z.]*[sS]hape`|\brank of `|as long as `|scalar/;

/** The comment block right before a declaration. */
function docstringOf(declaration) {
  const file = declaration.getSourceFile();
  let node = declaration;
  if (ts.isVariableDeclaration(node)) node = node.parent.parent;
  const comments = ts.getLeadingCommentRanges(file.text, node.getFullStart()) ?? [];
  return comments.map(({ pos, end }) => file.text.slice(pos, end)).findLast((text) => text.startsWith("/**"));
}

/** What a docstring says of a parameter: the text from its `@param` to the next tag. */
export function describedParameter(docstring, name) {
  return new RegExp(
    `@param\\s+(?:\\[)?${name}\\b([\\s\\S]*?)(?=@param|@returns?\\b|@throws|@see|@example|\\*/)`,
  ).exec(docstring)?.[1];
}

function signatureProblems(name, declaration, place) {
  const docstring = docstringOf(declaration) ?? "";
  const problems = [];
  for (const parameter of declaration.parameters) {
    const type = parameter.type?.getText() ?? "";
    if (!TENSOR.test(type) || /=>/.test(type) || !ts.isIdentifier(parameter.name)) continue;
    const described = describedParameter(docstring, parameter.name.text);
    if (described === undefined || !SHAPE.test(described))
      problems.push(
        `${place(declaration)}: ${name}: tensor parameter ${parameter.name.text} needs its shape: @param ${parameter.name.text} \`[...]\``,
      );
  }
  return problems;
}

const isHidden = (member) =>
  (ts.getCombinedModifierFlags(member) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) !== 0 ||
  ts.isPrivateIdentifier(member.name);

/**
 * Methods whose parameters must tell their shapes: public ones with a docstring of their own, and a module's `forward`,
 * unless the docstring of its class does.
 */
function isDescribed(member, declaration) {
  if (member.name.getText() === "forward")
    return docstringOf(member) !== undefined || !SHAPE.test(docstringOf(declaration) ?? "");
  return !isHidden(member) && docstringOf(member) !== undefined;
}

/** The problems of what one entry file exports. `sources` replaces files by text, for tests. */
export function problemsOf(entries, root = ROOT, sources = new Map()) {
  const options = {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    noLib: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists } = host;
  host.readFile = (path) => sources.get(path) ?? readFile(path);
  host.fileExists = (path) => sources.has(path) || fileExists(path);
  host.getSourceFile = (path, target) => {
    const text = host.readFile(path);
    return text === undefined ? undefined : ts.createSourceFile(path, text, target, true);
  };
  // Only our own files are parsed: what they import from node_modules does not matter here.
  host.resolveModuleNameLiterals = (literals, containing) =>
    literals.map(({ text }) => {
      if (!text.startsWith(".")) return { resolvedModule: undefined };
      const resolvedFileName = join(containing, "..", text.replace(/\.js$/, ".ts"));
      return {
        resolvedModule: host.fileExists(resolvedFileName)
          ? { resolvedFileName, extension: ".ts", isExternalLibraryImport: false }
          : undefined,
      };
    });
  const program = ts.createProgram(entries, options, host);
  const checker = program.getTypeChecker();
  const place = (node) => {
    const file = node.getSourceFile();
    const { line } = file.getLineAndCharacterOfPosition(node.getStart());
    return `${file.fileName.replace(root, "").replace(/^\//, "")}:${line + 1}`;
  };
  const problems = new Set();
  for (const entry of entries) {
    const file = program.getSourceFile(entry);
    const module = file === undefined ? undefined : checker.getSymbolAtLocation(file);
    for (const exported of module === undefined ? [] : checker.getExportsOfModule(module)) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      const declarations = (symbol.declarations ?? []).filter((declaration) => !ts.isSourceFile(declaration));
      if (declarations.length === 0) continue;
      const [first] = declarations;
      if (!declarations.some((declaration) => docstringOf(declaration) !== undefined))
        problems.add(`${place(first)}: ${symbol.name}: public, but has no docstring`);
      // Of overloads the first carries the docstring.
      if (ts.isFunctionDeclaration(first))
        for (const problem of signatureProblems(symbol.name, first, place)) problems.add(problem);
      if (ts.isClassDeclaration(first))
        for (const member of first.members)
          if (ts.isMethodDeclaration(member) && isDescribed(member, first))
            for (const problem of signatureProblems(`${symbol.name}.${member.name.getText()}`, member, place))
              problems.add(problem);
    }
  }
  return [...problems];
}

export async function check(root = ROOT) {
  const entries = (await listPackages(root)).flatMap(({ folder, manifest }) =>
    Object.entries(manifest.exports)
      .filter(([name]) => !["./testing", "./browser", "./package.json"].includes(name))
      .map(([, target]) => join(folder, target.default.replace("./dist/", "src/").replace(/\.js$/, ".ts"))),
  );
  return problemsOf(
    entries.filter((entry) => ts.sys.fileExists(entry)),
    root,
  );
}
