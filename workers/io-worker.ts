/**
 * The thread in which connections live: the only place that opens sockets. It knows nothing of leases, targets or
 * policy; it dials what it is told to, serves one channel per connection, and says through the channel's words how
 * each one ends. A fault while one connection is served ends that connection, and one while a message is obeyed is the
 * answer to that message; whatever else the event loop calls here goes through a guard of its own (`base/fault-guard.ts`),
 * which tells the pool what failed. What is thrown past all of them ends the thread, and with it its own connections and no
 * others; the pool tells its error by name.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { invariant, SockpoolError } from '../src/base/errors.ts'
import { FaultGuard } from '../src/base/fault-guard.ts'
import { LIMITS } from '../src/base/limits.ts'
import { LoopDelay } from '../src/base/loop-delay.ts'
import { quietCollection } from '../src/base/quiet-collection.ts'
import { Doorbell, doorbellWords, TurnRinger } from '../src/channel/doorbell.ts'
import { Vitals } from '../src/channel/vitals.ts'
import { EgressRules } from '../src/egress/egress-rules.ts'
import { Resolver } from '../src/egress/resolver.ts'
import type {
  FromIoWorker,
  IoWorkerData,
  LookUpMessage,
  MishandledMessage,
  ToIoWorker,
} from '../src/threads/protocol.ts'
import { Connections } from './io/connections.ts'
import { Desks } from './io/desk/desks.ts'
import { Dialler } from './io/dialler.ts'
import { HolderBells } from './io/holder-bells.ts'
import { Listeners } from './io/listeners.ts'
import { SilentTurns } from './io/silent-turns.ts'
import { Splices } from './io/splice/splices.ts'
import { Upgrades } from './io/upgrades.ts'

const port = parentPort
invariant(port !== null, 'an I/O worker runs in a worker thread')
const { doorbell: ownBell, poolDoorbell, vitals: vitalsMemory, egress, holders } = workerData as IoWorkerData

const vitals = new Vitals(vitalsMemory)
const loopDelay = vitals.watchesLoop ? new LoopDelay() : null
let isStopping = false
// A doorbell that was stopped takes no more turns.
const promiseFlush = (): void => (isStopping ? bells.flush() : doorbell.stir())
const pool = new TurnRinger(doorbellWords(poolDoorbell), promiseFlush)
const bells = new HolderBells(pool, holders, promiseFlush)
const tell = (message: FromIoWorker): void => port.postMessage(message)
/** A guard for what serves nobody in particular. */
const guardOf = (message: MishandledMessage['message']): FaultGuard =>
  new FaultGuard(reason => tell({ kind: 'mishandled', message, error: SockpoolError.from(reason).toJSON() }))
const sweepGuard = guardOf('sweep')
const bellGuard = guardOf('bell')
const rules = new EgressRules(egress.allow, egress.denied)
const resolver = new Resolver({ servers: egress.dnsServers })
const dialler = new Dialler(rules, resolver, vitals, decision => tell({ kind: 'decision', decision }))
const listeners = new Listeners(resolver, tell)
const quiet = quietCollection()
const connections = new Connections({
  dialler,
  listeners,
  pool,
  holders: bells,
  vitals,
  turns: new SilentTurns(),
  stir: () => doorbell.stir(),
  cover: channels => doorbell.cover(channels),
  tell,
  onMade: () => quiet.passed(LIMITS.quietCollectionDialBytes),
})
const upgrades = new Upgrades(connections, tell)
const splices = new Splices({ connections, listeners, tell })
const desks = new Desks({ connections, tell, guard: guardOf('desk') })

const doorbell = new Doorbell(
  ownBell,
  // One that fails keeps nobody else who was rung from being served.
  bellGuard.action((number: number) => connections.rung(number)),
  {
    lingerTurns: LIMITS.ioLingerTurns,
    lookOnMs: LIMITS.ioLookOnMs,
    onTurn: bellGuard.action(() => {
      vitals.publish()
      bells.flush()
    }),
  },
)

const sweep = setInterval(() => {
  sweepGuard.run(() => vitals.add('beats', 1))
  if (loopDelay !== null) sweepGuard.run(() => vitals.tellLoopDelay(loopDelay.longestMs))
  sweepGuard.run(() => doorbell.findMissed(() => vitals.add('missedWakes', 1)))
  sweepGuard.run(() => listeners.tellDropped())
  sweepGuard.run(() => splices.tellMoved())
  // Bytes that stay in this thread have no turn of the doorbell.
  sweepGuard.run(() => vitals.publish())
}, LIMITS.sweepIntervalMs)

/** Goes through to its end whatever fails on the way: a thread that is told to stop, stops. */
function stop(): void {
  const guard = guardOf('stop')
  guard.run(() => listeners.closeAll())
  guard.run(() => connections.destroyAll())
  // A look-up under way would keep the thread for as long as a dead DNS server likes.
  guard.run(() => resolver.close())
  guard.run(() => doorbell.stop())
  isStopping = true
  guard.run(() => bells.flush())
  quiet.stop()
  loopDelay?.stop()
  clearInterval(sweep)
  port?.close()
}

/** Errors: DNS_FAILED, QUEUE_FULL. */
async function lookUp({ request, name, known }: LookUpMessage): Promise<void> {
  const { addresses, ...more } = await resolver.lookUpAgain(name, known)
  tell({ kind: 'found', request, answer: { addresses: addresses.map(({ text }) => text), ...more } })
}

/** Where a promise comes back, it rejects for what `refuse` is to answer. */
function obey(message: ToIoWorker): void | Promise<void> {
  switch (message.kind) {
    case 'open':
      return connections.open(message)
    case 'listen':
      return listeners.listen(message)
    case 'serve':
      return listeners.serve(message.listener)
    case 'adopt':
      return connections.adopt(message)
    case 'refuse':
      return listeners.refuse(message.listener, message.incoming)
    case 'splice':
      return splices.begin(message)
    case 'desk':
      return desks.open(message)
    case 'attend':
      return desks.attend(message)
    case 'lend':
      return desks.lend(message)
    case 'recall':
      return desks.recall(message)
    case 'unlisten':
      return listeners.unlisten(message)
    case 'hush':
      return upgrades.hush(message)
    case 'secure':
      return upgrades.secure(message)
    case 'share':
      return connections.find(message.channel, message.generation)?.share()
    case 'holder':
      return bells.set(message.holder, message.doorbell)
    case 'denied':
      return rules.setDenied(message.denied)
    case 'lookUp':
      return lookUp(message)
    case 'egress':
      resolver.setServers(message.dnsServers)
      return rules.setAllow(message.allow)
    case 'stop':
      return stop()
    default:
      return message satisfies never
  }
}

/** Answers a message that could not be obeyed. */
function refuse(message: ToIoWorker, reason: unknown): void {
  const error = SockpoolError.from(reason).toJSON()
  switch (message.kind) {
    case 'open':
    case 'adopt': {
      const { memory, generation } = message
      return tell({ kind: 'failed', channel: memory.number, generation, error })
    }
    case 'hush':
    case 'secure': {
      const { channel, generation } = message
      tell({ kind: 'unsecured', channel, generation, error })
      // There is no way back from a handshake that failed.
      if (message.kind === 'secure') connections.find(channel, generation)?.destroy('tls')
      return
    }
    case 'splice': {
      const { channel, generation } = message
      connections.find(channel, generation)?.destroy()
      return tell({ kind: 'unspliced', channel, generation, how: 'lost', bytesIn: 0, bytesOut: 0 })
    }
    case 'attend':
    case 'lend':
      return desks.refuse(message)
    case 'listen':
    case 'unlisten':
      return tell({ kind: 'unlistened', listener: message.listener, error })
    case 'lookUp':
      return tell({ kind: 'unfound', request: message.request, error })
    case 'desk':
    case 'recall':
    case 'serve':
    case 'share':
    case 'refuse':
    case 'holder':
    case 'denied':
    case 'egress':
    case 'stop':
      return tell({ kind: 'mishandled', message: message.kind, error })
    default:
      message satisfies never
  }
}

port.on('message', (message: ToIoWorker) => {
  // An answer that cannot be given is told as well: it is the only trace of the message.
  const failed = guardOf(message.kind).action((error: unknown) => refuse(message, error))
  try {
    obey(message)?.catch(failed)
  } catch (error) {
    failed(error)
  }
})

tell({ kind: 'ready' })
