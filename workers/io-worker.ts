/**
 * The thread in which connections live: the only place that opens sockets. It knows nothing of leases, targets or
 * policy; it dials what it is told to, serves one channel per connection, and says through the channel's words
 * how each one ends. A fault in here ends the thread, and with it its own connections and no others.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { invariant, SockpoolError } from '../src/base/errors.ts'
import { LIMITS } from '../src/base/limits.ts'
import { aborted } from '../src/base/wait.ts'
import { Channel } from '../src/channel/channel.ts'
import { Doorbell, doorbellWords, TurnRinger } from '../src/channel/doorbell.ts'
import { Vitals } from '../src/channel/vitals.ts'
import { EgressRules } from '../src/egress/egress-rules.ts'
import { Resolver } from '../src/egress/resolver.ts'
import type { FromIoWorker, IoWorkerData, OpenMessage, ToIoWorker } from '../src/threads/protocol.ts'
import { Connection } from './io/connection.ts'
import { Dialler, socketFacts } from './io/dialler.ts'

const port = parentPort
invariant(port !== null, 'an I/O worker runs in a worker thread')
const { doorbell: ownBell, poolDoorbell, vitals: vitalsMemory, egress } = workerData as IoWorkerData

const connections = new Map<number, Connection>()
/** Dials under way, by channel: a holder that gives up shuts the channel. */
const dials = new Map<number, { readonly channel: Channel; readonly controller: AbortController }>()
const vitals = new Vitals(vitalsMemory)
const scratch = Buffer.allocUnsafeSlow(LIMITS.kernelReadBytes)
const pool = new TurnRinger(doorbellWords(poolDoorbell), () => doorbell.stir())
const tell = (message: FromIoWorker): void => port.postMessage(message)
const rules = new EgressRules(egress.allow, egress.denied)
const dialler = new Dialler(rules, new Resolver({ servers: egress.dnsServers }), vitals, decision =>
  tell({ kind: 'decision', decision }),
)

const doorbell = new Doorbell(
  ownBell,
  number => {
    const dial = dials.get(number)
    if (dial?.channel.shut === 'abort') dial.controller.abort()
    connections.get(number)?.rung()
  },
  { lingerTurns: LIMITS.ioLingerTurns, onTurn: () => pool.flush() },
)

const sweep = setInterval(() => {
  vitals.add('beats', 1)
  doorbell.findMissed(() => vitals.add('missedWakes', 1))
}, LIMITS.sweepIntervalMs)

async function open(message: OpenMessage): Promise<void> {
  const channel = new Channel(message.memory)
  const { generation, dial, connectTimeoutMs } = message
  const controller = new AbortController()
  const connection = new Connection({
    channel,
    generation,
    pool,
    vitals,
    scratch,
    stir: () => doorbell.stir(),
    onGone: () => {
      if (connections.get(channel.number) === connection) connections.delete(channel.number)
    },
  })
  doorbell.cover(channel.number + 1)
  dials.set(channel.number, { channel, controller })
  // The bell for a dial that was given up at once may have rung before this message came.
  if (channel.shut === 'abort') controller.abort()
  const timeout = setTimeout(() => controller.abort('timeout'), connectTimeoutMs)
  try {
    const socket = await dialler.dial(dial, connection, controller.signal)
    connections.set(channel.number, connection)
    const opened = connection.open(socket, dial.onConnect, dial.onRelease)
    const giveUp = (): void => connection.destroy()
    controller.signal.addEventListener('abort', giveUp, { once: true })
    if (controller.signal.aborted) giveUp()
    await opened
    if (controller.signal.aborted) throw controller.signal.reason
    tell({ kind: 'opened', channel: channel.number, generation, facts: socketFacts(socket) })
  } catch (error) {
    connection.abandon()
    connections.delete(channel.number)
    tell({
      kind: 'failed',
      channel: channel.number,
      generation,
      error: failure(error, controller.signal, connectTimeoutMs),
    })
  } finally {
    clearTimeout(timeout)
    dials.delete(channel.number)
  }
}

function failure(
  error: unknown,
  signal: AbortSignal,
  connectTimeoutMs: number,
): ReturnType<SockpoolError['toJSON']> {
  if (signal.reason === 'timeout')
    return new SockpoolError('CONNECT_TIMEOUT', `no connection within ${connectTimeoutMs} ms`).toJSON()
  if (signal.aborted) return aborted('connect', signal).toJSON()
  return SockpoolError.from(error, 'CONNECT_FAILED').toJSON()
}

function stop(): void {
  for (const { controller } of dials.values()) controller.abort()
  for (const connection of connections.values()) connection.destroy()
  doorbell.stop()
  pool.flush()
  clearInterval(sweep)
  port?.close()
}

port.on('message', (message: ToIoWorker) => {
  switch (message.kind) {
    case 'open':
      void open(message)
      return
    case 'denied':
      rules.setDenied(message.denied)
      return
    case 'stop':
      stop()
      return
    default:
      message satisfies never
  }
})
