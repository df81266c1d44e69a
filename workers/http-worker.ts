/**
 * A thread that serves HTTP beside others, on a port that they share. It has a door and an app of its own, and uses the
 * pool as any attached thread does; what is about a lease it relays to the main thread.
 */
import { once } from 'node:events'
import type { Server } from 'node:net'
import {
  MessageChannel,
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  workerData,
} from 'node:worker_threads'
import { pino } from 'pino'
import { errorText } from '../src/base/error-text.ts'
import { LIMITS } from '../src/base/limits.ts'
import { LogSink } from '../src/base/log-sink.ts'
import { LoopDelay } from '../src/base/loop-delay.ts'
import { describeLoss } from '../src/base/stderr-log.ts'
import { HttpFigures } from '../src/channel/http-figures.ts'
import { SharedCount } from '../src/channel/shared-count.ts'
import { SharedTallies } from '../src/channel/shared-tallies.ts'
import { connectionDoorOf } from '../src/http/door/connection-door.ts'
import { LiveDoor } from '../src/http/door/live-door.ts'
import type { DoorDeps } from '../src/http/ports.ts'
import { buildThreadApp, isServedHere } from '../src/http/thread-app.ts'
import { AttachedPool } from '../src/pool/attached/attached-pool.ts'
import type {
  FromHttpThread,
  HttpRulesData,
  HttpThreadData,
  ToHttpThread,
} from '../src/threads/http-protocol.ts'
import { startTraces } from '../src/tracing/service-traces.ts'
import { Front } from './http/front.ts'
import { MessageOutlet } from './http/log-outlet.ts'
import { listenOn } from './http/places.ts'

if (parentPort === null) throw new Error('this file is the entry of a thread')
const port = parentPort
const data = workerData as HttpThreadData
const tell = (message: FromHttpThread): void => port.postMessage(message)

const outlet = new MessageOutlet(text => tell({ kind: 'log', text }))
const sink = new LogSink({ outlet, describeLoss })
const log = pino({ name: 'sockpool', level: data.logLevel }, sink)
// Node would print them as text.
process.removeAllListeners('warning')
process.on('warning', ({ name, message, stack }) => log.warn({ warning: name, stack }, message))

const notices = new SharedCount(data.notices)
const requests = new SharedCount(data.requests)
const open = new SharedCount(data.connections)
const figures = new HttpFigures(data.figures)
const loopDelay = new LoopDelay()
const tallies = new SharedTallies(data.slots, data.slot, data.rules.tallies)
const { auth, hosts, origins, tls } = data.rules
const members = new Set(data.rules.members)
let isClosing = data.isClosing
let { accessLog } = data.rules
let heard = 0
let beside: readonly Server[] = []

const deps: DoorDeps = {
  auth,
  hosts,
  members,
  origins,
  tls: tls ?? false,
  tallies,
  listen: data.listen,
  limits: data.limits,
  headerBytesMax: data.headerBytesMax,
  connectionsMax: data.connectionsMax,
  isClosing: () => isClosing,
  accessLog: () => accessLog,
  log: { level: data.logLevel, stream: sink, requestIds: `h${data.slot}` },
  durations: figures.durations,
}
const traces = await startTraces(data.telemetry, log)
let dropped = 0
const telling = setInterval(() => {
  figures.loopDelay.tell(loopDelay.longestMs)
  figures.logDropped.add(sink.dropped - dropped)
  dropped = sink.dropped
}, LIMITS.sweepIntervalMs)
const pool = new AttachedPool(data.pool)
const door = new LiveDoor(deps)
const app = buildThreadApp(
  { ...deps, pool, relay: (request, response, body) => front.relay(request, response, body, false) },
  door,
)
const { server } = app
const front = new Front(
  {
    server,
    door,
    connections: connectionDoorOf(app),
    relay: data.relay,
    isServedHere,
    openTunnel,
    onRequest: () => {
      requests.add(1)
      hear()
    },
  },
  data.connectionsMax,
)
// Before the handshake: a certificate that was replaced is not shown any more.
server.prependListener('connection', socket => {
  hear()
  open.add(1)
  socket.once('close', () => open.add(-1))
})
front.stand()
port.on('message', take)
await app.ready()

function openTunnel(): MessagePort {
  const { port1, port2 } = new MessageChannel()
  port.postMessage({ kind: 'tunnel', port: port2 } satisfies FromHttpThread, [port2])
  return port1
}

/** Takes what has been told and not heard yet. */
function hear(): void {
  const told = notices.value
  if (told === heard) return
  heard = told
  for (;;) {
    const received = receiveMessageOnPort(port)
    if (received === undefined) return
    take(received.message as ToHttpThread)
  }
}

function take(message: ToHttpThread): void {
  switch (message.kind) {
    case 'listen':
      listen(message).catch((error: unknown) => {
        const code = error instanceof Error && 'code' in error ? String(error.code) : null
        tell({ kind: 'failed', message: errorText(error), code })
      })
      return
    case 'rules':
      return replaceRules(message.rules)
    case 'closing':
      isClosing = true
      return
    case 'logged':
      return outlet.taken()
    case 'close':
      return void close()
    default:
      message satisfies never
  }
}

async function listen({ hosts, port, isFirst }: Extract<ToHttpThread, { kind: 'listen' }>): Promise<void> {
  const bound = await listenOn(server, hosts, port, isFirst)
  beside = bound.beside
  tell({ kind: 'listening', address: bound.address, port: bound.port })
}

function replaceRules({ tallies: memories, tls: shown, members: others, ...rules }: HttpRulesData): void {
  tallies.adopt(memories)
  members.clear()
  for (const host of others) members.add(host)
  door.replace(rules)
  accessLog = rules.accessLog
  if (shown === null) return
  const { cert, key, clientCa: ca } = shown
  // What was built to speak TLS is a TLS server, whatever Fastify calls it.
  const secure = server as unknown as { setSecureContext(options: object): void }
  secure.setSecureContext({ cert, key, ...(ca !== undefined && { ca }) })
}

/** As the service closes its own app. */
async function close(): Promise<void> {
  isClosing = true
  const cut = setTimeout(() => {
    server.closeAllConnections()
    front.cutTunnels()
  }, LIMITS.httpCloseMs)
  for (const other of beside) other.close()
  const closed = server.listening ? once(server, 'close') : null
  await app.close()
  server.closeIdleConnections()
  await closed
  await front.tunnelsEnded()
  clearTimeout(cut)
  front.close()
  clearInterval(telling)
  loopDelay.stop()
  await pool.close()
  await traces?.close()
  await sink.flushed()
  port.close()
}
