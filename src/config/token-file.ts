/** Bearer tokens: read from a file that only its owner may read, kept as SHA-256 and nothing else. */

import { hash } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { errorText } from '../base/error-text.ts'
import type { Token } from './config.ts'
import { ConfigError, type ConfigFault } from './config-error.ts'

/** The SHA-256 of a token, as lower-case hex. */
export function hashToken(token: string): string {
  return hash('sha256', token)
}

/**
 * The tokens of a file with one `NAME TOKEN` per line; empty lines and lines that begin with `#` are passed over.
 * Each may use all targets and is an admin.
 *
 * Throws ConfigError: unreadable, readable by group or others, a malformed line, a name twice, no token at all. No
 * message holds a token.
 */
export function readTokenFile(file: string): readonly Token[] {
  const faults: ConfigFault[] = []
  const report = (message: string): number => faults.push({ source: file, path: '', message })
  const tokens = new Map<string, Token>()
  for (const [index, raw] of readPrivate(file).split('\n').entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const [name = '', token = '', ...rest] = line.split(/[ \t]+/)
    const isWhole = /^[!-~]{1,64}$/.test(name) && /^[!-~]{1,4096}$/.test(token) && rest.length === 0
    if (!isWhole) report(`line ${index + 1}: must be NAME TOKEN, each of visible ASCII characters`)
    else if (tokens.has(name)) report(`line ${index + 1}: names ${JSON.stringify(name)} a second time`)
    else tokens.set(name, { name, sha256: hashToken(token), targets: ['*'], admin: true })
  }
  if (tokens.size === 0 && faults.length === 0) report('holds no token; write one NAME TOKEN per line')
  if (faults.length > 0) throw new ConfigError(faults)
  return [...tokens.values()]
}

// The mode is asked of the open file, so that it is the mode of what is read.
function readPrivate(file: string): string {
  let descriptor: number | undefined
  try {
    descriptor = openSync(file, 'r')
    const mode = fstatSync(descriptor).mode & 0o777
    if ((mode & 0o077) === 0) return readFileSync(descriptor, 'utf8')
    const message = `must be readable by its owner only, and its mode is ${mode.toString(8).padStart(4, '0')}; run: chmod 600 ${file}`
    throw new ConfigError([{ source: file, path: '', message }])
  } catch (error) {
    if (error instanceof ConfigError) throw error
    const reason = errorText(error)
    throw new ConfigError([{ source: file, path: '', message: `cannot be read: ${reason}` }])
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}
