/** The verbs of an operator, at a running service: one call, and what it did in a line. */
import { CommandError } from './command-error.ts'
import { type ApiRow, isRow } from './row-field.ts'
import { askService, type ServiceFlags } from './service-call.ts'
import { print, type Streams } from './streams.ts'
import { plainJson, plainLines } from './terminal/plain-text.ts'

export const VERBS = ['pause', 'resume', 'drain', 'reconnect', 'disable', 'enable', 'wait-close'] as const

export type OutputFlags = ServiceFlags & { readonly output: 'table' | 'json' }

/** Errors: as `askService`. */
export async function control(
  verb: (typeof VERBS)[number],
  target: string,
  flags: OutputFlags & { readonly wait?: boolean; readonly timeout?: number },
  streams: Streams,
): Promise<void> {
  const query = new URLSearchParams({
    ...(flags.wait === true && { wait: 'true' }),
    ...(flags.timeout !== undefined && { timeoutMs: String(flags.timeout) }),
  })
  const suffix = query.size > 0 ? `?${query}` : ''
  const path = `/v1/targets/${encodeURIComponent(target)}/${verb}${suffix}`
  await tell(target, await askService(flags, { method: 'POST', path }), flags, streams)
}

/** Errors: as `askService`; CommandError with exit code 2 where nothing is to be changed. */
export async function resize(
  target: string,
  { min, max, ...flags }: OutputFlags & { readonly min?: number; readonly max?: number },
  streams: Streams,
): Promise<void> {
  if (min === undefined && max === undefined) throw new CommandError(2, 'give --min, --max or both')
  const json = { pool: { min, max } }
  const path = `/v1/targets/${encodeURIComponent(target)}`
  await tell(target, await askService(flags, { method: 'PATCH', path, json }), flags, streams)
}

/** Kills a connection, or else the lease of that id. Errors: as `askService`. */
export async function kill(id: string, flags: OutputFlags, { stdout }: Streams): Promise<void> {
  const at = encodeURIComponent(id)
  // A lease's id has 43 letters; a connection's is short.
  const isLease = id.length >= 40
  const path = isLease ? `/v1/leases/${at}?kill=true` : `/v1/connections/${at}`
  const done = await askService(flags, { method: 'DELETE', path })
  const text = flags.output === 'json' ? plainJson(done) : `killed the ${isLease ? 'lease' : 'connection'}`
  await print(stdout, `${text}\n`)
}

/** Has a fresh I/O worker serve in the place of this one, and waits for its end. Errors: as `askService`. */
export async function drainWorker(
  id: number,
  { timeout, ...flags }: OutputFlags & { readonly timeout?: number },
  { stdout }: Streams,
): Promise<void> {
  const suffix = timeout === undefined ? '' : `?timeoutMs=${timeout}`
  const done = await askService(flags, { method: 'POST', path: `/v1/workers/${id}/drain${suffix}` })
  const { threadId, closed, leased } = done
  const text = `worker ${id} was drained: ${closed} closed, ${leased} leased; thread ${threadId} serves in its place`
  await print(stdout, `${flags.output === 'json' ? plainJson(done) : plainLines(text)}\n`)
}

/** Has the service read its configuration anew. Errors: as `askService`; every fault of the configuration is a line. */
export async function reload(flags: OutputFlags, { stdout }: Streams): Promise<void> {
  const done = await askService(flags, { method: 'POST', path: '/v1/reload' })
  await print(
    stdout,
    `${flags.output === 'json' ? plainJson(done) : plainLines(reloadLines(done).join('\n'))}\n`,
  )
}

function reloadLines({
  targets,
  tokens,
  leasesEnded,
  connectionsRetired,
  listenersClosed,
  ignored,
}: ApiRow): string[] {
  const of = (counts: unknown): string => numbers(isRow(counts) ? counts : {})
  const restart =
    Array.isArray(ignored) && ignored.length > 0 ? [`needs a restart: ${ignored.join(', ')}`] : []
  return [
    `targets: ${of(targets)}`,
    `tokens: ${of(tokens)}`,
    `${leasesEnded} leases ended, ${connectionsRetired} connections retired, ${listenersClosed} listeners closed`,
    ...restart,
  ]
}

function numbers(counts: ApiRow): string {
  return Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')
}

async function tell(
  target: string,
  done: ApiRow,
  { output }: OutputFlags,
  { stdout }: Streams,
): Promise<void> {
  const { state, ...counts } = done
  const text = output === 'json' ? plainJson(done) : plainLines(`${target} is ${state}: ${numbers(counts)}`)
  await print(stdout, `${text}\n`)
}
