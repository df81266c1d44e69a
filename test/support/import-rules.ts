/**
 * The rules of the architecture, over files given as text: who may import whom, who may touch what, no cycles, no
 * long files. Types count as imports: a layer that knows another's types knows that layer.
 */
import { dirname, join } from 'node:path/posix'
import ts from 'typescript'

/** Files by their path from the root, as text. */
export type Files = Readonly<Record<string, string>>

/** Rows from the top down. */
type Rows = readonly (readonly string[])[]

/** A unit is a folder of src/, or a file of src/ without its ending. */
export const ROWS: Rows = [
  ['cli'],
  ['command'],
  ['service'],
  ['library'],
  ['http', 'client', 'metrics', 'fleet'],
  ['pool', 'parse'],
  ['egress'],
  ['threads'],
  ['streams'],
  ['channel'],
  ['tracing'],
  ['config'],
  ['frames'],
  ['base'],
]

/** The rooms of a folder, in rows of their own. A unit is a room, or `.`: the files that lie in the folder itself. */
export const ROOMS: Readonly<Record<string, Rows>> = {
  command: [['.'], ['terminal']],
  http: [
    ['thread-app'],
    ['app', 'metrics-app'],
    ['routes'],
    ['streaming', 'forwarding'],
    ['leases', 'door', 'document'],
    ['bytes'],
    ['.'],
  ],
  pool: [['.'], ['attached', 'multiplex', 'server', 'forward'], ['lease'], ['target']],
  streams: [['channel-ends', 'adapters'], ['blocking'], ['reading', 'writing'], ['.']],
}

/** What stands beside the column: whose files they are, and what besides themselves they may import. */
export const WORKERS: Readonly<Record<string, { readonly own: RegExp; readonly may: RegExp }>> = {
  'io-worker': {
    own: /^workers\/(io-worker\.ts|io\/)/,
    may: /^src\/((base|frames|channel|streams|egress)\/|threads\/protocol\.ts$)/,
  },
  'parse-worker': {
    own: /^workers\/(parse-worker\.ts|parse\/)/,
    may: /^src\/(base|frames|channel|streams|parse\/formats)\//,
  },
  'http-worker': {
    own: /^workers\/(http-worker\.ts|http\/)/,
    may: /^src\/((base|config|tracing|channel|http|pool\/attached)\/|threads\/(http-protocol|relayed-socket)\.ts$)/,
  },
  /** The page of the dashboard runs in a browser, and knows the service by its API alone. */
  dashboard: { own: /^src\/dashboard\//, may: /^$/ },
  'demo-worker': { own: /^workers\/demo-worker\.ts/, may: /^src\/(base\/|threads\/demo-upstream\.ts$)/ },
}

/** Modules that only some places may import. */
export const MODULES: readonly { readonly name: RegExp; readonly only: RegExp }[] = [
  { name: /^(node:)?(net|tls)$/, only: /^workers\// },
  { name: /^(node:)?worker_threads$/, only: /^(src\/threads|workers)\// },
  { name: /^(node:)?child_process$/, only: /^src\/parse\// },
  { name: /^(@fastify\/|fastify(-|$))/, only: /^src\/http\// },
  { name: /^@prometheus-io\//, only: /^src\/metrics\// },
  { name: /^(ioredis|iovalkey)$/, only: /^src\/fleet\// },
  { name: /^ws$/, only: /^src\/(http\/streaming|client)\// },
  { name: /^csv-parse(\/|$)/, only: /^src\/parse\/formats\/csv\.ts$/ },
  { name: /^saxes$/, only: /^src\/parse\/formats\/xml\.ts$/ },
  { name: /^re2js$/, only: /^src\/base\/pattern\.ts$/ },
  { name: /^@opentelemetry\//, only: /^src\/(tracing\/|base\/active-trace\.ts$)/ },
  { name: /^(preact|@preact\/signals|uplot)(\/|$)/, only: /^src\/dashboard\// },
  { name: /^piscina(\/|$)/, only: /^(src\/parse\/|workers\/parse-worker\.ts$)/ },
]

/** Globals that only some places may touch. */
export const GLOBALS: Readonly<Record<'Atomics' | 'process.env', RegExp>> = {
  Atomics: /^src\/channel\//,
  'process.env': /^src\/config\//,
}

/** Most files end long before; the bound is there to find a second noun in one. */
export const LINES_MAX = 350
export const FUNCTION_LINES_MAX = 50

type Facts = {
  readonly imports: readonly string[]
  readonly globals: readonly string[]
  /** Exported types, classes included. */
  readonly types: readonly string[]
  /** Functions over the bound, by name and lines. */
  readonly longFunctions: readonly string[]
}

/** One line for each broken rule; empty where all hold. */
export function brokenRules(files: Files): readonly string[] {
  const facts = new Map(Object.entries(files).map(([file, text]) => [file, factsOf(file, text)]))
  const broken: string[] = []
  for (const [file, { imports, globals, longFunctions }] of facts) {
    for (const specifier of imports) {
      const fault = specifier.startsWith('.')
        ? faultOfImport(file, join(dirname(file), specifier), files)
        : faultOfModule(file, specifier)
      if (fault) broken.push(`${file} imports ${specifier}: ${fault}`)
    }
    for (const name of globals)
      if (!GLOBALS[name as keyof typeof GLOBALS].test(file)) broken.push(`${file} touches ${name}`)
    const lines = (files[file] ?? '').replace(/\n$/, '').split('\n').length
    if (lines > LINES_MAX) broken.push(`${file} has ${lines} lines of ${LINES_MAX}`)
    for (const long of longFunctions) broken.push(`${file}: ${long} lines of ${FUNCTION_LINES_MAX}`)
  }
  return [...broken, ...twins(facts), ...cycles(facts)]
}

function faultOfImport(from: string, to: string, files: Files): string | null {
  if (files[to] === undefined) return 'there is no such file'
  const worker = Object.values(WORKERS).find(({ own }) => own.test(from))
  if (worker) return worker.own.test(to) || worker.may.test(to) ? null : 'this worker may not know it'
  if (!to.startsWith('src/')) return 'nothing imports workers'
  const [fromUnit, toUnit] = [unitOf(from), unitOf(to)]
  if (fromUnit !== toUnit) return faultBetween(fromUnit, toUnit, ROWS)
  const rooms = ROOMS[fromUnit]
  return rooms ? faultBetween(roomOf(from, rooms), roomOf(to, rooms), rooms) : null
}

function faultBetween(from: string, to: string, rows: Rows): string | null {
  if (from === to) return null
  const [fromRow, toRow] = [rowOf(from, rows), rowOf(to, rows)]
  if (fromRow === -1 || toRow === -1) return `${fromRow === -1 ? from : to} stands on no row`
  if (fromRow === toRow) return 'they are neighbours on one row'
  return fromRow > toRow ? 'it lies above' : null
}

/** Types of one name in two files: whoever reads the name cannot know which is meant. */
function twins(facts: ReadonlyMap<string, Facts>): readonly string[] {
  const places = new Map<string, string[]>()
  for (const [file, { types }] of facts)
    for (const type of types) places.set(type, [...(places.get(type) ?? []), file])
  return [...places]
    .filter(([, files]) => files.length > 1)
    .map(([type, files]) => `${type} is declared in ${files.join(' and ')}`)
}

function faultOfModule(from: string, name: string): string | null {
  const rule = MODULES.find(module => module.name.test(name))
  return !rule || rule.only.test(from) ? null : 'it belongs elsewhere'
}

function unitOf(file: string): string {
  const [, unit = ''] = file.split('/')
  return unit.replace(/\.ts$/, '')
}

/** The room of a file; a file of the folder itself that has a row of its own is its own room. */
function roomOf(file: string, rooms: Rows): string {
  const [, , room = '', inside] = file.split('/')
  if (inside !== undefined) return room
  const name = room.replace(/\.ts$/, '')
  return rowOf(name, rooms) === -1 ? '.' : name
}

function rowOf(unit: string, rows: Rows): number {
  return rows.findIndex(row => row.includes(unit))
}

/** Imports of every form, and the globals of the table, wherever they stand but in comments and strings. */
function factsOf(file: string, text: string): Facts {
  const imports: string[] = []
  const globals = new Set<string>()
  const types: string[] = []
  const longFunctions: string[] = []
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const note = (specifier: ts.Node | undefined): void => {
    if (specifier && ts.isStringLiteralLike(specifier)) imports.push(specifier.text)
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) note(node.moduleSpecifier)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      note(node.arguments[0])
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) note(node.argument.literal)
    else if (ts.isIdentifier(node) && node.text === 'Atomics') globals.add('Atomics')
    else if (isEnvironment(node)) globals.add('process.env')
    else if (isExportedType(node) && node.name) types.push(node.name.text)
    const lines = linesOfFunction(node, source)
    if (lines > FUNCTION_LINES_MAX) longFunctions.push(`${nameOf(node)} has ${lines}`)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return { imports, globals: [...globals], types, longFunctions }
}

function isExportedType(
  node: ts.Node,
): node is ts.TypeAliasDeclaration | ts.InterfaceDeclaration | ts.ClassDeclaration {
  const isType =
    ts.isTypeAliasDeclaration(node) || ts.isInterfaceDeclaration(node) || ts.isClassDeclaration(node)
  return isType && node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true
}

/** 0 for what is no function with a body. */
function linesOfFunction(node: ts.Node, source: ts.SourceFile): number {
  if (!ts.isFunctionLike(node) || !('body' in node) || !node.body) return 0
  const { line: first } = source.getLineAndCharacterOfPosition(node.getStart(source))
  const { line: last } = source.getLineAndCharacterOfPosition(node.end)
  return last - first + 1
}

function nameOf(node: ts.Node): string {
  return 'name' in node && node.name ? (node.name as ts.Node).getText() : 'a function'
}

/** `process.env`, `process['env']` and `const { env } = process`. */
function isEnvironment(node: ts.Node): boolean {
  const isProcess = (target: ts.Node | undefined): boolean =>
    target !== undefined && ts.isIdentifier(target) && target.text === 'process'
  if (ts.isPropertyAccessExpression(node)) return isProcess(node.expression) && node.name.text === 'env'
  if (ts.isElementAccessExpression(node))
    return (
      isProcess(node.expression) &&
      ts.isStringLiteralLike(node.argumentExpression) &&
      node.argumentExpression.text === 'env'
    )
  if (!ts.isVariableDeclaration(node) || !isProcess(node.initializer)) return false
  if (!ts.isObjectBindingPattern(node.name)) return false
  return node.name.elements.some(({ propertyName, name }) => (propertyName ?? name).getText() === 'env')
}

/** Each cycle once, as the path that leads back to its first file. */
function cycles(facts: ReadonlyMap<string, Facts>): readonly string[] {
  const found: string[] = []
  const done = new Set<string>()
  const path: string[] = []
  const visit = (file: string): void => {
    const start = path.indexOf(file)
    if (start !== -1) return void found.push(`cycle: ${[...path.slice(start), file].join(' > ')}`)
    const own = facts.get(file)
    if (done.has(file) || !own) return
    path.push(file)
    for (const specifier of own.imports) if (specifier.startsWith('.')) visit(join(dirname(file), specifier))
    path.pop()
    done.add(file)
  }
  for (const file of facts.keys()) visit(file)
  return found
}
