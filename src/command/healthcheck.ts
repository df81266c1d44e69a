/** `healthcheck`: whether a service is ready, for containers and scripts. */
import { localUrl } from '../config/address.ts'
import { call, describeProblem } from './call.ts'
import { CommandError } from './command-error.ts'
import { loadForCommand } from './config-commands.ts'
import { print, type Streams } from './streams.ts'

const HEALTHCHECK_TIMEOUT_MS = 5_000

/**
 * Asks `/readyz`. `url` default: where a service of this environment (SOCKPOOL_LISTEN) and these defaults listens.
 *
 * Errors: CommandError with exit code 1 where none is ready there.
 */
export async function healthcheck(url: string | undefined, { stdout }: Streams): Promise<void> {
  const where = url ?? ownUrl()
  const answer = await call(where, { method: 'GET', path: '/readyz', timeoutMs: HEALTHCHECK_TIMEOUT_MS })
  if (answer.status !== 200) throw new CommandError(1, `${where} is not ready: ${describeProblem(answer)}`)
  await print(stdout, `${where} is ready\n`)
}

function ownUrl(): string {
  const { listen, http } = loadForCommand({})
  return localUrl(listen, http.tls ? 'https' : 'http')
}
