/** `exchange`: one round trip from the shell, over a running service or by a dial of its own. */

import { buffer } from 'node:stream/consumers'
import { errorText } from '../base/error-text.ts'
import { parseHostPort } from '../config/address.ts'
import { environmentUrl } from '../config/environment.ts'
import type { TargetInput } from '../config/target-input.ts'
import { readCallTls, type TlsFlags } from './call-tls.ts'
import { CommandError } from './command-error.ts'
import { loadForCommand } from './config-commands.ts'
import { parseReadSpec, type ReadOption, readSpecJson } from './read-spec.ts'
import { callService } from './service-call.ts'
import { print, type Streams } from './streams.ts'

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
  if (url === undefined) {
    readCallTls(options, url)
    const dialled = chooseTarget(target, file)
    await print(streams.stdout, await exchangeByDial(dialled, await buffer(streams.stdin), spec))
    return
  }
  const write = { base64: (await buffer(streams.stdin)).toString('base64') }
  const json = { target: parseHostPort(target) ?? target, write, read: readSpecJson(spec) }
  const accept = 'application/octet-stream'
  const answer = await callService(
    { ...options, url },
    { method: 'POST', path: '/v1/exchange', json, accept },
  )
  await print(streams.stdout, answer.body)
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
