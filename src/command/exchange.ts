/** `exchange`: one round trip from the shell, over a running service or by a dial of its own. */

import { fstatSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { errorText } from '../base/error-text.ts'
import { parseHostPort } from '../config/address.ts'
import { environmentUrl } from '../config/environment.ts'
import type { TargetInput } from '../config/target-input.ts'
import type { BodyWatch } from './call.ts'
import { readCallTls, type TlsFlags } from './call-tls.ts'
import { CommandError } from './command-error.ts'
import { loadForCommand } from './config-commands.ts'
import { parseReadSpec, type ReadOption, readSpecJson } from './read-spec.ts'
import { callService } from './service-call.ts'
import { print, type Streams } from './streams.ts'
import { ProgressLine, type ProgressStep } from './terminal/progress-line.ts'

export type ExchangeOptions = TlsFlags & {
  readonly read: string
  readonly url?: string | undefined
  readonly token?: string | undefined
  readonly config?: string | undefined
}

/**
 * Writes stdin to the target and prints the reply, byte for byte.
 *
 * Errors: CommandError with exit code 2 for a target, a `--read` or flags of TLS that mean nothing, 1 where the
 * exchange fails.
 */
export async function exchange(target: string, options: ExchangeOptions, streams: Streams): Promise<void> {
  const { read, url = environmentUrl(), config: file } = options
  const spec = parseReadSpec(read)
  const progress = new ProgressLine(streams.stderr)
  try {
    if (url === undefined) {
      readCallTls(options, url)
      const dialled = chooseTarget(target, file)
      const write = await readInput(streams.stdin, progress)
      progress.begin(WAITING)
      const data = await exchangeByDial(dialled, write, spec)
      progress.clear()
      return await print(streams.stdout, data)
    }
    const write = { base64: (await readInput(streams.stdin, progress)).toString('base64') }
    const json = { target: parseHostPort(target) ?? target, write, read: readSpecJson(spec) }
    const accept = 'application/octet-stream'
    const { body } = await callService(
      { ...options, url },
      { method: 'POST', path: '/v1/exchange', json, accept, sending: watchSending(progress) },
    )
    progress.clear()
    await print(streams.stdout, body)
  } finally {
    progress[Symbol.dispose]()
  }
}

const WAITING: ProgressStep = { what: 'waiting for the reply', unit: 'none', total: null }

/** All of stdin; a file's size is known beforehand. */
async function readInput(stdin: Readable, progress: ProgressLine): Promise<Buffer> {
  // Where somebody types, a line of ours would stand between theirs.
  const isTyped = 'isTTY' in stdin && stdin.isTTY === true
  if (!isTyped) progress.begin({ what: 'reading stdin', unit: 'bytes', total: sizeOf(stdin) })
  const chunks: Buffer[] = []
  for await (const chunk of stdin) {
    chunks.push(chunk)
    progress.add(chunk.length)
  }
  return Buffer.concat(chunks)
}

function sizeOf(stdin: Readable): number | null {
  if (!('fd' in stdin) || typeof stdin.fd !== 'number') return null
  const stat = fstatSync(stdin.fd)
  return stat.isFile() ? stat.size : null
}

function watchSending(progress: ProgressLine): BodyWatch {
  let left = 0
  return {
    begin: total => {
      left = total
      progress.begin({ what: 'sending', unit: 'bytes', total })
    },
    sent: bytes => {
      left -= bytes
      progress.add(bytes)
      if (left === 0) progress.begin(WAITING)
    },
  }
}

// A name of the config file comes before an address of the same spelling.
function chooseTarget(target: string, file: string | undefined): TargetInput {
  const targets = file === undefined ? {} : loadForCommand({ file }).targets
  const named = Object.hasOwn(targets, target) ? targets[target] : undefined
  if (named) return named
  const place = parseHostPort(target)
  if (place) return { ...place, pool: { max: 1 } }
  const names = Object.keys(targets)
  const known = names.length > 0 ? `; ${file} names ${names.join(', ')}` : ''
  throw new CommandError(
    2,
    `TARGET must be HOST:PORT, or a target's name with --config FILE or --url URL, not ${JSON.stringify(target)}${known}`,
  )
}

async function exchangeByDial(target: TargetInput, write: Buffer, read: ReadOption): Promise<Uint8Array> {
  const { createPool } = await import('../library/index.ts')
  const pool = await createPool({ ioWorkers: 1, targets: { target } })
  try {
    const { data } = await pool.exchange('target', { write, read })
    return data
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code).toLowerCase()})` : ''
    throw new CommandError(1, `${errorText(error)}${code}`, {
      cause: error,
    })
  } finally {
    await pool.close()
  }
}
