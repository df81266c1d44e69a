/**
 * `demo`: a scripted round against a service that this command starts itself, on a free port and with the embedded
 * upstream. It speaks plain HTTP to it, as any user does, and fails at the first answer that is not as promised.
 */
import { isDeepStrictEqual } from 'node:util'
import { type Answer, type Call, call, describeProblem } from './call.ts'
import { CommandError } from './command-error.ts'
import { loadForCommand } from './config-commands.ts'
import { print, type Streams } from './streams.ts'

const TARGETS = [
  { target: 'demo', spoken: 'TCP' },
  { target: 'demo-tls', spoken: 'TLS' },
] as const

/** Errors: CommandError with exit code 1, naming the step and what came instead. */
export async function demo(streams: Streams): Promise<void> {
  const config = loadForCommand({ environment: {}, flags: { listen: '127.0.0.1:0', logLevel: 'warn' } })
  const { startService } = await import('../service.ts')
  const service = await startService(config, { demo: true })
  try {
    const say = (line: string): Promise<void> => print(streams.stdout, `${line}\n`)
    await say(`listening on ${service.url}`)
    const ask = (request: Call): Promise<Answer> =>
      call(service.url, { ...request, token: service.token ?? undefined })
    await parseRound(ask, say)
    for (const { target, spoken } of TARGETS) await leaseRound(ask, say, target, spoken)
    await say('done')
  } finally {
    await service.close()
  }
}

type Ask = (request: Call) => Promise<Answer>
type Say = (line: string) => Promise<void>

async function leaseRound(ask: Ask, say: Say, target: string, spoken: 'TCP' | 'TLS'): Promise<void> {
  const step = (name: string, outcome: string): Promise<void> =>
    say(`${target.padEnd(8)}  ${name.padEnd(8)}  ${outcome}`)

  const lease = jsonOf(await ask(post('/v1/leases', { target })), 201, `${target} lease`)
  const { id, connection } = lease as {
    id: string
    connection: { remotePort: number; tls: null | { protocol: string } }
  }
  expectEqual(connection.tls !== null, spoken === 'TLS', `${target} lease: spoken over TLS`)
  await step(
    'lease',
    `a connection to port ${connection.remotePort}, ${connection.tls?.protocol ?? 'plain TCP'}`,
  )

  const path = `/v1/leases/${encodeURIComponent(id)}`
  await writeText(ask, path, 'hello\n', `${target} write`)
  await step('write', '"hello\\n"')
  const line = await ask({ method: 'POST', path: `${path}/readline` })
  expectEqual(textOf(line, `${target} readline`), 'hello\n', `${target} readline`)
  await step('readline', '"hello\\n"')

  await writeText(ask, path, '{"answer":42}\n', `${target} write`)
  const parsed = jsonOf(await ask(post(`${path}/parse`, { format: 'ndjson' })), 200, `${target} parse`)
  expectEqual((parsed as { value: unknown }).value, { answer: 42 }, `${target} parse`)
  await step('parse', '{"answer":42}')

  const released = jsonOf(await ask({ method: 'DELETE', path }), 200, `${target} release`)
  expectEqual(released, { outcome: 'reused', reason: 'clean' }, `${target} release`)
  await step('release', 'clean, the connection serves again')

  const request = { target, write: { text: 'round trip\n' }, read: { line: true } }
  const answer = await ask(post('/v1/exchange', request))
  expectEqual(textOf(answer, `${target} exchange`), 'round trip\n', `${target} exchange`)
  expectEqual(answer.headers.get('sockpool-reused'), 'true', `${target} exchange: on the same connection`)
  await step('exchange', '"round trip\\n", on the same connection')
}

async function parseRound(ask: Ask, say: Say): Promise<void> {
  const parsed = jsonOf(await ask(post('/v1/parse/json', { numbers: [1, 2, 3] })), 200, 'parse')
  expectEqual(parsed, { values: [{ numbers: [1, 2, 3] }] }, 'parse')
  await say('parse     {"numbers":[1,2,3]}, in a thread of its own')
}

async function writeText(ask: Ask, path: string, text: string, step: string): Promise<void> {
  const written = jsonOf(await ask(post(`${path}/writelines`, [text])), 200, step)
  expectEqual((written as { accepted: unknown }).accepted, text.length, `${step}: accepted bytes`)
}

function post(path: string, json: unknown): Call {
  return { method: 'POST', path, json }
}

function textOf(answer: Answer, step: string): string {
  if (answer.status !== 200) throw new CommandError(1, `${step}: ${describeProblem(answer)}`)
  return answer.body.toString('utf8')
}

function jsonOf(answer: Answer, status: number, step: string): object {
  if (answer.status !== status) throw new CommandError(1, `${step}: ${describeProblem(answer)}`)
  const body: unknown = JSON.parse(answer.body.toString('utf8'))
  if (typeof body === 'object' && body !== null) return body
  throw new CommandError(1, `${step}: the answer is no JSON object`)
}

function expectEqual(actual: unknown, expected: unknown, step: string): void {
  if (isDeepStrictEqual(actual, expected)) return
  throw new CommandError(1, `${step}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`)
}
