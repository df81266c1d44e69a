/**
 * The environment as a source of configuration: the only place that reads process.env. A key's variable is
 * `SOCKPOOL_` and its path in capitals, `limits.bodyBytes` → SOCKPOOL_LIMITS_BODY_BYTES.
 *
 * Variables that fit no key are passed over: a cluster sets SOCKPOOL_SERVICE_HOST and its like for a service of this
 * name by itself.
 */
import { childPath } from './complete.ts'
import { fromText } from './from-text.ts'
import { branchFor, field, isRecord, namedValue, type SchemaNode } from './schema-node.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** One source's part of the configuration: `origins` says of each path it sets what said so. */
export type Layer = {
  readonly tree: Readonly<Record<string, unknown>>
  readonly origins: ReadonlyMap<string, string>
}

/** The environment of this process. */
export function processEnvironment(): Environment {
  return process.env
}

/** The token a command uses where none is given by a flag: SOCKPOOL_TOKEN. */
export function environmentToken(environment: Environment = process.env): string | undefined {
  const { SOCKPOOL_TOKEN } = environment
  return SOCKPOOL_TOKEN || undefined
}

/** The service a command calls where none is given by a flag: SOCKPOOL_URL. */
export function environmentUrl(environment: Environment = process.env): string | undefined {
  const { SOCKPOOL_URL } = environment
  return SOCKPOOL_URL || undefined
}

/** How many columns a table may take, where somebody says so in the place of the terminal: COLUMNS. */
export function environmentColumns(environment: Environment = process.env): number | undefined {
  const columns = Number(environment['COLUMNS'])
  return Number.isInteger(columns) && columns > 0 ? columns : undefined
}

/** Whether the variables of OpenTelemetry say what the service is called in traces. */
export function isServiceNamed(environment: Environment = process.env): boolean {
  const { OTEL_SERVICE_NAME = '', OTEL_RESOURCE_ATTRIBUTES = '' } = environment
  return OTEL_SERVICE_NAME !== '' || /(?:^|,)\s*service\.name\s*=/.test(OTEL_RESOURCE_ATTRIBUTES)
}

/** Whether `npm start` runs this process: npm says so to the programs of its scripts. */
export function isNpmStart(environment: Environment = process.env): boolean {
  const { npm_lifecycle_event: script } = environment
  return script === 'start'
}

/**
 * What the environment says. A key inside a named target has a variable where the file has that target
 * (`targetNames`): a variable's name cannot tell how a name is spelt. Empty variables say nothing.
 */
export function environmentLayer(
  schema: SchemaNode,
  environment: Environment,
  targetNames: readonly string[],
): Layer {
  const tree: Record<string, unknown> = {}
  const origins = new Map<string, string>()
  visit(schema, [], targetNames, (node, path) => {
    const variable = variableName(path)
    const text = environment[variable]
    if (text === undefined || text === '') return
    origins.set(path.reduce(childPath, ''), variable)
    setAt(tree, path, fromText(node, text))
  })
  return { tree, origins }
}

/** `limits.bodyBytes` → `SOCKPOOL_LIMITS_BODY_BYTES`. */
export function variableName(path: readonly string[]): string {
  const words = path.map(part => part.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replace(/[^A-Za-z0-9]/g, '_'))
  return ['SOCKPOOL', ...words].join('_').toUpperCase()
}

// From the root downwards, so that the variable of a key outweighs that of the mapping it is in.
function visit(
  node: SchemaNode,
  path: readonly string[],
  targetNames: readonly string[],
  found: (node: SchemaNode, path: readonly string[]) => void,
): void {
  if (path.length > 0) found(node, path)
  const branch = branchFor(node, {})
  for (const [key, child] of Object.entries(branch.properties ?? {}))
    visit(child, [...path, key], targetNames, found)
  const named = namedValue(branch)
  if (named) for (const name of targetNames) visit(named, [...path, name], targetNames, found)
}

function setAt(tree: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let place = tree
  for (const key of path.slice(0, -1)) {
    const next = field(place, key)
    const inner = isRecord(next) ? { ...next } : {}
    Object.defineProperty(place, key, { value: inner, enumerable: true, configurable: true, writable: true })
    place = inner
  }
  const last = path.at(-1)
  if (last !== undefined)
    Object.defineProperty(place, last, { value, enumerable: true, configurable: true, writable: true })
}
