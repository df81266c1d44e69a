/**
 * The thread in which connections live: the only place that opens sockets. It knows nothing of leases, targets or
 * policy; it dials what it is told to, serves one channel per connection, and says through the channel's words
 * how each one ends. A fault in here ends the thread, and with it its own connections and no others.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { type ErrorFields, invariant, SockpoolError } from '../src/base/errors.ts'
import { LIMITS } from '../src/base/limits.ts'
import { aborted } from '../src/base/wait.ts'
import { Channel } from '../src/channel/channel.ts'
import { Doorbell, doorbellWords, TurnRinger } from '../src/channel/doorbell.ts'
import { Vitals } from '../src/channel/vitals.ts'
import { EgressRules } from '../src/egress/egress-rules.ts'
import { Resolver } from '../src/egress/resolver.ts'
import type {
  AdoptMessage,
  FromIoWorker,
  IoWorkerData,
  OpenMessage,
  ToIoWorker,
} from '../src/threads/protocol.ts'
import { Connection } from './io/connection.ts'
import { Dialler, socketFacts } from './io/dialler.ts'
import { HolderBells } from './io/holder-bells.ts'
import { Listeners } from './io/listeners.ts'
import { Upgrades } from './io/upgrades.ts'

const port = parentPort
invariant(port !== null, 'an I/O worker runs in a worker thread')
const { doorbell: ownBell, poolDoorbell, vitals: vitalsMemory, egress, holders } = workerData as IoWorkerData

const connections = new Map<number, Connection>()
/** Dials under way, by channel: a holder that gives up shuts the channel. */
const dials = new Map<number, { readonly channel: Channel; readonly controller: AbortController }>()
const vitals = new Vitals(vitalsMemory)
const scratch = Buffer.allocUnsafeSlow(LIMITS.kernelReadBytes)
let isStopping = false
// A doorbell that was stopped takes no more turns.
const promiseFlush = (): void => (isStopping ? bells.flush() : doorbell.stir())
const pool = new TurnRinger(doorbellWords(poolDoorbell), promiseFlush)
const bells = new HolderBells(pool, holders, promiseFlush)
const tell = (message: FromIoWorker): void => port.postMessage(message)
const rules = new EgressRules(egress.allow, egress.denied)
const resolver = new Resolver({ servers: egress.dnsServers })
const dialler = new Dialler(rules, resolver, vitals, decision => tell({ kind: 'decision', decision }))
const listeners = new Listeners(resolver, tell)

/** Where a connection comes from, which its socket does not know: the host it was dialled by, paths of unix sockets. */
type Origin = { readonly host: string; readonly local?: string; readonly remote?: string | undefined }
const origins = new WeakMap<Connection, Origin>()
const upgrades = new Upgrades({
  find: (channel, generation) => {
    const connection = connections.get(channel)
    return connection?.generation === generation ? connection : undefined
  },
  hostOf: connection => origins.get(connection)?.host ?? '',
  factsOf: (connection, socket) => socketFacts(socket, origins.get(connection)),
  tell,
})

const doorbell = new Doorbell(
  ownBell,
  number => {
    const dial = dials.get(number)
    if (dial?.channel.shut === 'abort') dial.controller.abort()
    connections.get(number)?.rung()
  },
  {
    lingerTurns: LIMITS.ioLingerTurns,
    onTurn: () => {
      vitals.publish()
      bells.flush()
    },
  },
)

const sweep = setInterval(() => {
  vitals.add('beats', 1)
  doorbell.findMissed(() => vitals.add('missedWakes', 1))
}, LIMITS.sweepIntervalMs)

function connectionOn(channel: Channel, generation: number): Connection {
  const connection = new Connection({
    channel,
    generation,
    pool,
    holders: bells,
    vitals,
    scratch,
    stir: () => doorbell.stir(),
    onGone: () => {
      if (connections.get(channel.number) === connection) connections.delete(channel.number)
    },
  })
  doorbell.cover(channel.number + 1)
  return connection
}

async function open(message: OpenMessage): Promise<void> {
  const channel = new Channel(message.memory)
  const { generation, dial, connectTimeoutMs } = message
  const controller = new AbortController()
  const connection = connectionOn(channel, generation)
  dials.set(channel.number, { channel, controller })
  // The bell for a dial that was given up at once may have rung before this message came.
  if (channel.shut === 'abort') controller.abort()
  const timeout = setTimeout(() => controller.abort('timeout'), connectTimeoutMs)
  try {
    const { socket, place } = await dialler.dial(dial, connection, controller.signal)
    const origin = { host: place.host, remote: dial.path }
    origins.set(connection, origin)
    connections.set(channel.number, connection)
    const opened = connection.open(socket, dial.onConnect, dial.onRelease)
    const giveUp = (): void => connection.destroy()
    controller.signal.addEventListener('abort', giveUp, { once: true })
    if (controller.signal.aborted) giveUp()
    await opened
    if (controller.signal.aborted) throw controller.signal.reason
    tell({ kind: 'opened', channel: channel.number, generation, facts: socketFacts(socket, origin) })
  } catch (error) {
    connection.abandon()
    connections.delete(channel.number)
    tell({
      kind: 'failed',
      channel: channel.number,
      generation,
      error: failure(error, controller.signal, connectTimeoutMs),
      attempts: attemptsOf(error),
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

/** What a joined error is made of; its cause would not cross the thread. */
function attemptsOf(error: unknown): readonly ErrorFields[] | undefined {
  const cause = error instanceof Error ? error.cause : undefined
  if (!(cause instanceof AggregateError)) return undefined
  return cause.errors.map(each => SockpoolError.from(each).toJSON())
}

function adopt({ listener, incoming, memory, generation }: AdoptMessage): void {
  const channel = new Channel(memory)
  const taken = listeners.take(listener, incoming)
  if (taken === undefined || channel.shut === 'abort') {
    taken?.socket.destroy()
    const error = new SockpoolError('CONNECTION_RESET', 'the client hung up before it was served')
    tell({ kind: 'failed', channel: channel.number, generation, error: error.toJSON() })
    return
  }
  const { socket, path } = taken
  const connection = connectionOn(channel, generation)
  const origin = { host: '', local: path }
  origins.set(connection, origin)
  connections.set(channel.number, connection)
  void connection.open(socket, [], [])
  connection.feedFrom(socket)
  tell({ kind: 'opened', channel: channel.number, generation, facts: socketFacts(socket, origin) })
}

function stop(): void {
  listeners.closeAll()
  for (const { controller } of dials.values()) controller.abort()
  for (const connection of connections.values()) connection.destroy()
  doorbell.stop()
  isStopping = true
  bells.flush()
  clearInterval(sweep)
  port?.close()
}

port.on('message', (message: ToIoWorker) => {
  switch (message.kind) {
    case 'open':
      void open(message)
      return
    case 'listen':
      void listeners.listen(message)
      return
    case 'serve':
      listeners.serve(message.listener)
      return
    case 'adopt':
      adopt(message)
      return
    case 'refuse':
      listeners.refuse(message.listener, message.incoming)
      return
    case 'unlisten':
      listeners.unlisten(message.listener)
      return
    case 'hush':
      upgrades.hush(message)
      return
    case 'secure':
      void upgrades.secure(message)
      return
    case 'holder':
      bells.set(message.holder, message.doorbell)
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
