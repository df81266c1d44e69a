/** A pair of a client and a connection of which one side has ended, on the test's own thread. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { FaultGuard } from '../../../src/base/fault-guard.ts'
import { LIMITS } from '../../../src/base/limits.ts'
import { allocateVitals, Vitals } from '../../../src/channel/vitals.ts'
import { Splice } from '../../../workers/io/splice/splice.ts'
import { startTestServer } from '../../support/test-server.ts'
import { until } from '../../support/until.ts'

/** Two sockets of one connection; both may be half open. */
async function pair(): Promise<{ readonly own: Socket; readonly far: Socket }> {
  const server = await startTestServer(() => {}, { halfOpen: true, tolerant: true })
  const own = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
  onTestFinished(() => void own.destroy())
  own.on('error', () => {})
  const [far] = await Promise.all([server.connection(), once(own, 'connect')])
  return { own, far }
}

type Joined = {
  readonly splice: Splice
  /** What stands at the other end of the client's socket, and of the connection's. */
  readonly program: Socket
  readonly target: Socket
  /** What became of the pair. */
  readonly said: string[]
}

async function joined(halfOpenMs?: number): Promise<Joined> {
  const [client, connection] = [await pair(), await pair()]
  const said: string[] = []
  const socket = connection.own
  const splice = new Splice({
    client: { socket: client.own, early: [], hasEnded: false },
    socket,
    terms: { reuses: false, allowTruncated: false },
    balance: null,
    hasDialog: false,
    vitals: new Vitals(allocateVitals()),
    scratch: Buffer.alloc(1_024),
    guard: new FaultGuard(error => said.push(`fault ${error}`)),
    onFreed: () => said.push('freed'),
    onCut: () => said.push('cut'),
    onLost: () => said.push('lost'),
    halfOpenMs,
  })
  socket.on('data', bytes => splice.received(bytes.length, bytes)).on('end', () => splice.ended('fin'))
  splice.begin()
  for (const far of [client.far, connection.far]) far.resume()
  return { splice, program: client.far, target: connection.far, said }
}

function errorsOf(socket: Socket): string[] {
  const codes: string[] = []
  socket.on('error', (error: NodeJS.ErrnoException) => codes.push(error.code ?? error.message))
  return codes
}

test.each(['program', 'target'] as const)(
  'Splice resets both sides where the %s has ended and the other side is silent for the time',
  async ended => {
    const { program, target, said } = await joined(1)
    const [ender, other] = ended === 'program' ? [program, target] : [target, program]
    const [first, second] = [errorsOf(ender), errorsOf(other)]
    const heard = once(other, 'end')
    ender.end()
    await heard
    await until('the one that ended is closed', () => ender.closed)
    expect(first).toEqual(['ECONNRESET'])
    // The system tells of a reset behind an end only who writes.
    other.write('too late')
    await until('the other is closed', () => other.closed)
    expect(second).toHaveLength(1)
    expect(said).toEqual(['lost', 'cut'])
  },
)

test('Splice counts the time from the last byte, as long as the limits say, and never where nobody has ended', async () => {
  const { splice, program, target, said } = await joined()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  vi.advanceTimersByTime(10 * LIMITS.spliceHalfOpenMs)
  expect(said).toEqual([])
  const ended = once(target, 'end')
  program.end()
  await ended
  vi.advanceTimersByTime(LIMITS.spliceHalfOpenMs - 1)
  const came = once(program, 'data')
  target.write('still here')
  await came
  vi.advanceTimersByTime(1)
  expect([said, splice.bytesIn]).toEqual([[], 10])
  vi.advanceTimersByTime(LIMITS.spliceHalfOpenMs - 1)
  expect(said).toEqual([])
  vi.advanceTimersByTime(1)
  expect(said).toEqual(['lost', 'cut'])
})
