/** `healthcheck`: whether a service is ready, for containers and scripts. */
import { call, describeProblem } from './call.ts'
import { readCallTls, type TlsFlags } from './call-tls.ts'
import { CommandError } from './command-error.ts'
import { serviceUrl } from './service-call.ts'
import { print, type Streams } from './streams.ts'

const HEALTHCHECK_TIMEOUT_MS = 5_000

export type HealthcheckOptions = TlsFlags & { readonly url?: string | undefined }

/**
 * Asks `/readyz`. `url` default: where a service of this environment (SOCKPOOL_LISTEN) and these defaults listens.
 *
 * Errors: CommandError with exit code 1 where none is ready there, 2 for flags of TLS that mean nothing.
 */
export async function healthcheck(options: HealthcheckOptions, { stdout }: Streams): Promise<void> {
  const where = options.url ?? serviceUrl()
  const tls = readCallTls(options, where)
  const answer = await call(where, { method: 'GET', path: '/readyz', tls, timeoutMs: HEALTHCHECK_TIMEOUT_MS })
  if (answer.status !== 200) throw new CommandError(1, `${where} is not ready: ${describeProblem(answer)}`)
  await print(stdout, `${where} is ready\n`)
}
