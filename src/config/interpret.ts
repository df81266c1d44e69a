/**
 * Judges a completed configuration against its schema and turns it into values: durations become numbers under
 * `…Ms`, sizes numbers of bytes, addresses objects, file names the files' content. Every fault is reported, none
 * stops the walk; where any was reported the result is not to be used.
 */

import { Value } from 'typebox/value'
import { errorText } from '../base/error-text.ts'
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { unixPathFault } from '../base/unix-path.ts'
import type { FrameSpec } from '../frames/frame-spec.ts'
import { judgeFrame } from '../frames/judge-frame.ts'
import { parseHostPort, parseHostText, parseListenAddress, parseServeAddress } from './address.ts'
import { childPath, isRequired, unsetVariable } from './complete.ts'
import { parseListenRule } from './listen-rule.ts'
import { nearMiss } from './near-miss.ts'
import { pairFault, readPem } from './pem.ts'
import { branchFor, isRecord, namedValue, type SchemaNode } from './schema-node.ts'
import type { StepBytes } from './target-dialog.ts'
import { charsOf, fillVariables } from './template.ts'
import { parseDuration, parseSize } from './units.ts'

export type Interpretation = {
  readonly report: (path: string, message: string) => void
  /** The text of a file that the configuration names at `path`; throws where it cannot be read. */
  readonly readFile: (file: string, path: string) => string
  /** The `file:` URL of a module that is named at `path`; null where it can be none. */
  readonly resolveFile: (name: string, path: string) => string | null
  /** What a variable of the environment says, where a text names one; undefined where it is not set. */
  readonly variable: (name: string) => string | undefined
}

/** The value that the node makes of the input, built afresh. */
export function interpret(node: SchemaNode, value: unknown, path: string, reading: Interpretation): unknown {
  const branch = branchFor(node, value)
  if (branch.type === 'object') {
    if (isRecord(value)) return interpretMapping(branch, value, path, reading)
    reading.report(path, `must be ${node.expects ?? 'a mapping'}, not ${shown(node, value)}`)
    return undefined
  }
  if (branch.type === 'array') return interpretList(branch, value, path, reading)
  return interpretLeaf(branch, value, path, reading, node.expects ?? 'of another shape')
}

function interpretMapping(
  node: SchemaNode,
  value: Readonly<Record<string, unknown>>,
  path: string,
  reading: Interpretation,
): Record<string, unknown> {
  const properties = node.properties ?? {}
  const entries: [string, unknown][] = []
  for (const [key, own] of Object.entries(value)) {
    const child = Object.hasOwn(properties, key) ? properties[key] : namedChild(node, key)
    const where = childPath(path, key)
    if (child) entries.push([resultKey(key, child), interpret(child, own, where, reading)])
    else reading.report(where, refuseKey(node, key))
  }
  for (const [key, child] of Object.entries(properties))
    if (isRequired(node, key) && !Object.hasOwn(value, key))
      reading.report(childPath(path, key), `is required: ${child.expects ?? 'a mapping'}`)
  const size = Object.keys(value).length
  if (size < (node.minProperties ?? 0) || size > (node.maxProperties ?? size))
    reading.report(path, `must be ${node.expects ?? 'a mapping of another size'}`)
  const { exactlyOne } = node
  const chosen = exactlyOne?.filter(key => Object.hasOwn(value, key))
  // Where none is there but a key that nobody knows, that is one of them misspelt.
  const isMisspelt = chosen?.length === 0 && size > entries.length
  if (chosen && chosen.length !== 1 && !isMisspelt) reading.report(path, `must be ${node.expects}`)
  const built = Object.fromEntries(entries)
  if (node.keyPair === true) checkPair(built, path, reading)
  return built
}

function interpretList(node: SchemaNode, value: unknown, path: string, reading: Interpretation): unknown[] {
  const { items, minItems = 0, maxItems = Infinity } = node
  if (!Array.isArray(value) || !items) {
    reading.report(path, `must be a list, not ${shown(node, value)}`)
    return []
  }
  if (value.length < minItems)
    reading.report(path, `must have at least ${minItems} ${minItems === 1 ? 'entry' : 'entries'}`)
  if (value.length > maxItems)
    reading.report(path, `must have at most ${maxItems} entries, not ${value.length}`)
  return value.slice(0, maxItems).map((item, index) => interpret(items, item, `${path}.${index}`, reading))
}

function interpretLeaf(
  node: SchemaNode,
  value: unknown,
  path: string,
  reading: Interpretation,
  expects: string,
): unknown {
  const refuse = (): undefined => {
    reading.report(path, `must be ${expects}, not ${shown(node, value)}`)
  }
  switch (node.kind) {
    case undefined:
      return Value.Check(node, value) ? value : refuse()
    case 'duration': {
      const milliseconds = parseDuration(value)
      const fits = milliseconds !== null && milliseconds >= (node.minimum ?? 0)
      // The bound that people are told is round; the one that holds is a timer's own.
      return fits && milliseconds <= LIMITS.timerMsMax ? milliseconds : refuse()
    }
    case 'size': {
      const bytes = parseSize(value)
      return bytes !== null && bytes >= 1 && bytes <= LIMITS.configBytesMax ? bytes : refuse()
    }
    case 'serve':
      return parseServeAddress(value) ?? refuseListen(value, path, reading, refuse)
    case 'listen':
      return parseListenAddress(value) ?? refuseListen(value, path, reading, refuse)
    case 'listen-rule':
      return parseListenRule(value) ?? refuse()
    case 'host':
      return parseHostText(value) ?? refuse()
    case 'host-port':
      return parseHostPort(value) ?? refuse()
    case 'file': {
      const text = Value.Check(node, value) ? readFile(String(value), path, reading) : refuse()
      const says = `must name a PEM file, and ${JSON.stringify(value)} `
      return text === undefined ? undefined : pemOf(node, text, path, reading, says)
    }
    case 'module':
      return Value.Check(node, value) ? moduleOf(String(value), path, reading) : refuse()
    case 'frame':
      return frameOf(value, path, reading)
    case 'template':
      return Value.Check(node, value) ? (textOf(node, String(value), path, reading) ?? refuse()) : refuse()
    case 'pem':
      return Value.Check(node, value) ? pemOf(node, String(value), path, reading, '') : refuse()
    default:
      return node.kind satisfies never
  }
}

/** The text with its variables in place; undefined where it is longer then than a text may be. */
function textOf(
  node: SchemaNode,
  text: string,
  path: string,
  { variable, report }: Interpretation,
): StepBytes | undefined {
  const filled = fillVariables(text, variable, name => report(path, unsetVariable(name)))
  return charsOf(filled) <= (node.maxLength ?? Infinity) ? filled : undefined
}

/** The URL of a module, which is a file: a `file:` URL, or a path that the source of the config makes whole. */
function moduleOf(name: string, path: string, { resolveFile, report }: Interpretation): string | undefined {
  const url = resolveFile(name, path)
  if (url === null) report(path, 'must be a file: URL')
  return url ?? undefined
}

/** What a frame's own judge makes of it, once its module has a URL and its bound is a number. */
function frameOf(value: unknown, path: string, reading: Interpretation): FrameSpec | undefined {
  try {
    return judgeFrame(isRecord(value) ? readFrame(value, path, reading) : value, path, 'operator')
  } catch (error) {
    const faults = error instanceof SockpoolError ? error.errors : undefined
    if (faults === undefined) throw error
    for (const fault of faults) reading.report(fault.path, fault.message)
    return undefined
  }
}

function readFrame(
  value: Readonly<Record<string, unknown>>,
  path: string,
  reading: Interpretation,
): Record<string, unknown> {
  const entries = Object.entries(value).map(([key, own]): [string, unknown] => {
    if (key === 'max' && typeof own === 'string') return [key, parseSize(own) ?? own]
    if (key === 'module' && typeof own === 'string') return [key, reading.resolveFile(own, path) ?? own]
    return [key, key === 'lengthField' && isRecord(own) ? readFrame(own, path, reading) : own]
  })
  return Object.fromEntries(entries)
}

/** What is meant for the path of a unix socket is told what is wrong with that path. */
function refuseListen(
  value: unknown,
  path: string,
  reading: Interpretation,
  refuse: () => undefined,
): undefined {
  const fault =
    typeof value === 'string' && value.startsWith('unix:') ? unixPathFault(value.slice('unix:'.length)) : null
  if (fault === null) return refuse()
  reading.report(path, fault)
}

function readFile(file: string, path: string, reading: Interpretation): string | undefined {
  try {
    return reading.readFile(file, path)
  } catch (error) {
    reading.report(path, `must name a readable file: ${errorText(error)}`)
    return undefined
  }
}

function pemOf(
  node: SchemaNode,
  text: string,
  path: string,
  reading: Interpretation,
  says: string,
): string | undefined {
  const read = readPem(node.pem ?? 'certificates', text)
  if (read.kind === 'read') return read.text
  reading.report(path, `${says}${read.message}`)
  return undefined
}

function checkPair({ cert, key }: Record<string, unknown>, path: string, reading: Interpretation): void {
  if (typeof cert !== 'string' || typeof key !== 'string') return
  const fault = pairFault(cert, key)
  if (fault !== null) reading.report(childPath(path, 'key'), fault)
}

function resultKey(key: string, node: SchemaNode): string {
  return node.kind === 'duration' && !key.endsWith('Ms') ? `${key}Ms` : key
}

// Names such as `constructor` would be found in any object that is asked without hasOwn.
function namedChild(node: SchemaNode, key: string): SchemaNode | null {
  const [pattern] = Object.keys(node.patternProperties ?? {})
  const fits = pattern !== undefined && new RegExp(pattern).test(key) && !(key in Object.prototype)
  return fits ? namedValue(node) : null
}

function refuseKey(node: SchemaNode, key: string): string {
  if (node.patternProperties) return `must be ${node.expects ?? 'another name'}`
  const known = Object.keys(node.properties ?? {})
  const near = nearMiss(key, known)
  return near === null
    ? `is not a known key; known here: ${known.join(', ')}`
    : `is not a known key; did you mean "${near}"?`
}

/** The value as an error may show it: short, and not at all where it is secret. */
function shown(node: SchemaNode, value: unknown): string {
  if (value === null || value === undefined) return 'empty'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  // A text of a dialog may have a secret in it.
  if (node.secret || node.kind === 'template') return `this ${typeof value}`
  const text = JSON.stringify(value) ?? typeof value
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}
