/**
 * A config file, YAML or JSON, as plain data. It is only ever the file that the operator named: nothing is searched
 * for, nothing is executed and no file includes another, so that starting sockpool in a folder of someone
 * else's is safe.
 */

import { readFileSync } from 'node:fs'
import { LineCounter, parseDocument } from 'yaml'
import { errorText } from '../base/error-text.ts'
import { LIMITS } from '../base/limits.ts'
import { ConfigError } from './config-error.ts'
import { isRecord } from './schema-node.ts'

/**
 * The file's mapping; an empty file is an empty one. YAML 1.2 with merge keys; JSON is a part of it.
 *
 * Throws ConfigError: a file that cannot be read, is too large, is no YAML (with line and column) or is no mapping.
 */
export function readConfigFile(file: string): Readonly<Record<string, unknown>> {
  const fail = (message: string): never => {
    throw new ConfigError([{ source: file, path: '', message }])
  }
  const content = readText(file, fail)
  const lineCounter = new LineCounter()
  const document = parseDocument(content, { lineCounter, prettyErrors: false, merge: true })
  const faults = [...document.errors, ...document.warnings].map(({ message, pos }) => {
    const { line, col } = lineCounter.linePos(pos[0])
    return { source: file, path: '', message: `line ${line}, column ${col}: ${message}` }
  })
  if (faults.length > 0) throw new ConfigError(faults)
  let data: unknown
  try {
    data = document.toJS() ?? {}
  } catch (error) {
    return fail(`cannot be read as YAML: ${errorText(error)}`)
  }
  return isRecord(data) ? data : fail('must be a mapping of keys, such as "listen: 127.0.0.1:7070"')
}

function readText(file: string, fail: (message: string) => never): string {
  try {
    const bytes = readFileSync(file)
    if (bytes.length > LIMITS.configFileBytesMax)
      fail(`must not be larger than ${LIMITS.configFileBytesMax} bytes`)
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    if (error instanceof ConfigError) throw error
    return fail(`cannot be read: ${errorText(error)}`)
  }
}
