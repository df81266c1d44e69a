/**
 * The pool thread's handle of one connection that lives in an I/O worker. Its owner hears of what was found at releases
 * and of the end through `listener`; whoever holds the lease plugs its two ends in as `holder` and hears of bytes.
 *
 *   idle ──hold──► held ──letGo──► checking ──► idle
 *    │└──probe──► probing ──► idle     │
 *    └──────────────┴──────────────────┴── abort, leaveClosing, broke ──► closing
 *   any of them ── the I/O worker says that the socket is gone ──► gone ── no end is left that was made for it ──► free
 *
 * Only a free connection's channel serves another. An end on another thread is known to be detached when that thread
 * has said so, or is dead; until then it pins the channel.
 */
import { invariant } from '../base/errors.ts'
import type { Channel } from '../channel/channel.ts'
import type { DoorbellMemory, Ringer } from '../channel/doorbell.ts'
import type { CheckName, EndName } from '../channel/values.ts'
import type { ShareMessage, SocketFacts, SpliceTerms, TlsSide } from './protocol.ts'
import type { ThreadDesks } from './thread-desks.ts'
import type { SpliceListener, ThreadSplices, WaitingIncoming } from './thread-splices.ts'
import type { UpgradePort } from './tls-upgrades.ts'

/** The side that owns the connection: the pool. */
export interface ConnectionListener {
  /** What the I/O worker found after `letGo`. */
  onChecked(found: CheckName): void
  /** The socket is gone. The channel stays as it is for as long as something pins it. */
  onClosed(how: EndName): void
}

/** The side that reads and writes. */
export interface ConnectionHolder {
  rung(): void
  /** The words of the channel make no sense, or serving it threw: its connection is being closed. */
  broke(): void
}

export type IoConnectionDeps = {
  readonly id: string
  readonly worker: number
  readonly thread: number
  readonly channel: Channel
  /** The I/O worker's doorbell, to ring here and to lend to other threads. */
  readonly ringer: Ringer
  readonly doorbell: DoorbellMemory
  readonly facts: SocketFacts
  readonly upgrades: UpgradePort
  readonly splices: ThreadSplices
  readonly desks: ThreadDesks
  readonly tell: (message: ShareMessage) => void
  /** Whether its I/O worker is to take nothing new. */
  readonly isRetiring: () => boolean
  /** Gives the channel back; called once. */
  readonly onFree: () => void
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'held'; readonly holder: ConnectionHolder }
  /** `epoch`: that the release began. */
  | { readonly kind: 'checking'; readonly epoch: number }
  /** `epoch`: that began for the probe. `settle` hears what was found, or `error` where the connection ends meanwhile. */
  | { readonly kind: 'probing'; readonly epoch: number; readonly settle: (found: CheckName) => void }
  /** `how`: what it is closed for, where this side knows better than the socket. */
  | { readonly kind: 'closing'; readonly how: EndName | null }
  | { readonly kind: 'gone'; readonly how: EndName }
  | { readonly kind: 'free'; readonly how: EndName }

export class IoConnection {
  readonly id: string
  /** The number of its I/O worker, which a successor inherits. */
  readonly worker: number
  /** The number of its thread, which no other has. */
  readonly thread: number
  readonly channel: Channel
  readonly ringer: Ringer
  readonly doorbell: DoorbellMemory
  /** Those of its thread. */
  readonly desks: ThreadDesks
  /** Which of the connections of its channel it is. */
  readonly generation: number
  readonly #upgrades: UpgradePort
  readonly #splices: ThreadSplices
  readonly #tell: (message: ShareMessage) => void
  readonly #isRetiring: () => boolean
  readonly #onFree: () => void
  #facts: SocketFacts
  #listener: ConnectionListener | null = null
  #state: State = { kind: 'idle' }
  #pins = 0

  constructor(deps: IoConnectionDeps) {
    this.id = deps.id
    this.worker = deps.worker
    this.thread = deps.thread
    this.channel = deps.channel
    this.ringer = deps.ringer
    this.doorbell = deps.doorbell
    this.generation = deps.channel.generation
    this.#facts = deps.facts
    this.#upgrades = deps.upgrades
    this.#splices = deps.splices
    this.desks = deps.desks
    this.#tell = deps.tell
    this.#isRetiring = deps.isRetiring
    this.#onFree = deps.onFree
  }

  get facts(): SocketFacts {
    return this.#facts
  }

  /** Stops plain reading before TLS starts; the bytes that had no room in the ring. Errors: as UpgradePort.hush. */
  hush(): Promise<Uint8Array> {
    return this.#upgrades.hush(this.channel.number, this.generation)
  }

  /** Starts TLS on the hushed connection. Errors: as UpgradePort.secure; the connection is gone then. */
  async secure(as: TlsSide, timeoutMs: number): Promise<void> {
    this.#facts = await this.#upgrades.secure(this.channel.number, this.generation, as, timeoutMs)
  }

  /** How the socket came to its end; null while it is there. */
  get gone(): EndName | null {
    const state = this.#state
    return state.kind === 'gone' || state.kind === 'free' ? state.how : null
  }

  get isGone(): boolean {
    return this.gone !== null
  }

  /** It serves many at once from now on, until its end: its I/O worker need not know of their messages. */
  share(): void {
    this.#tell({ kind: 'share', channel: this.channel.number, generation: this.generation })
  }

  /** Joins it, which is leased and has no ends but this, with a client; false where that lives in another thread. */
  splice(client: WaitingIncoming, terms: SpliceTerms, listener: SpliceListener): boolean {
    if (client.splices !== this.#splices) return false
    const { listener: accepted, incoming } = client
    const own = { channel: this.channel.number, generation: this.generation }
    client.forget()
    this.#splices.begin(own, { listener: accepted, incoming }, terms, listener)
    return true
  }

  /** Its I/O worker is drained: it may serve nobody new. */
  get isRetiring(): boolean {
    return this.#isRetiring()
  }

  /** Nothing has ended on it and nothing came in: it may be handed out. A greeting counts for the first lease only. */
  get isFresh(): boolean {
    return !this.isGone && this.channel.inEnd === 'open' && this.channel.closed === 'open'
  }

  listen(listener: ConnectionListener): void {
    this.#listener = listener
  }

  /**
   * Begins a lease, and `holder` hears the doorbell; the epoch that its ends are to be made for. `thread`: the attached
   * thread whose own doorbell is rung for bytes; `holder` hears then of ends, and of what came before that thread was
   * known.
   */
  hold(holder: ConnectionHolder, thread = 0): number {
    invariant(this.#state.kind === 'idle', () => `a ${this.#state.kind} connection was leased`)
    this.#state = { kind: 'held', holder }
    this.channel.setHolder(thread)
    return this.channel.advanceEpoch()
  }

  /** Ends a lease and asks the I/O worker whether the connection may serve again. */
  letGo(): void {
    // Nobody knows what a thread does that has an end of it still.
    if (this.#pins > 0) return this.abort()
    if (this.isGone) return
    this.fence()
    this.#state = { kind: 'checking', epoch: this.channel.epoch }
    this.ringer.ring(this.channel.number)
  }

  /**
   * Asks the I/O worker whether the idle connection is still good: it runs the target's probe, where there is one, and
   * watches for two silent turns. Resolves with what it found, never rejects: `clean`, and the connection is idle again; or
   * what speaks against it (`dialog_failed`, `poisoned`, `half_closed`, `unread` for a greeting that nobody has read,
   * `error`), and the connection is closed for that, which its listener hears by itself. The probe's time is bounded as
   * that of every dialog of the connection. Nobody may lease the connection meanwhile; `abort` ends it.
   */
  probe(): Promise<CheckName> {
    if (this.isGone) return Promise.resolve('error')
    invariant(this.#state.kind === 'idle', () => `a ${this.#state.kind} connection was probed`)
    const { promise, resolve } = Promise.withResolvers<CheckName>()
    this.#state = { kind: 'probing', epoch: this.channel.askProbe(), settle: resolve }
    this.ringer.ring(this.channel.number)
    return promise
  }

  /**
   * Ends a lease whose holder has asked to close: what it wrote is still sent. The holder's word may be under way yet, as
   * while TLS starts, and never comes once its tenure is over: so this side says it too.
   */
  leaveClosing(): void {
    if (this.isGone) return this.fence()
    this.channel.requestShut('close')
    this.fence()
    this.#endProbe('error')
    this.#state = { kind: 'closing', how: null }
    this.ringer.ring(this.channel.number)
  }

  /** Ends the connection at once, and its lease where there is one. */
  abort(): void {
    // The lease ends first: whoever it belonged to hears of that, not of a connection that closes.
    this.fence()
    if (this.isGone) return
    this.channel.requestShut('abort')
    this.leaveClosing()
  }

  /** Ends the tenure of the lease's ends, whatever became of the connection. */
  fence(): void {
    // Once free, the channel is somebody else's.
    if (this.#state.kind !== 'free' && this.channel.isLeased) this.channel.advanceEpoch()
  }

  /** The pool's doorbell rang for this channel. */
  rung(): void {
    const state = this.#state
    if (state.kind === 'free') return
    if (state.kind === 'held') state.holder.rung()
    if (state.kind === 'checking' || state.kind === 'probing') this.#lookAtCheck(state)
    const { closed } = this.channel
    if (closed !== 'open') this.#close(closed)
  }

  /** As `rung`, for who serves others too: a fault ends this connection and no other. */
  heard(onFault: (error: unknown) => void): void {
    try {
      this.rung()
    } catch (error) {
      this.broke()
      onFault(error)
    }
  }

  /** Keeps the channel from serving another while an end of it is on another thread; `unpin` as often. */
  pin(): void {
    this.#pins++
  }

  unpin(): void {
    this.#pins--
    this.#freeIfDone()
  }

  /** Serving it has failed on either side: it is closed for that, and stays where it is until its I/O worker has. */
  broke(): void {
    const state = this.#state
    if (this.isGone || (state.kind === 'closing' && state.how === 'corrupt')) return
    this.#endProbe('error')
    this.#state = { kind: 'closing', how: 'corrupt' }
    this.channel.endInbound('corrupt')
    this.channel.requestShut('abort')
    this.ringer.ring(this.channel.number)
    if (state.kind === 'held') state.holder.broke()
  }

  /** Its I/O worker is dead. What that had not published is lost. */
  workerLost(): void {
    if (this.isGone) return
    this.channel.endInbound('workerLost')
    this.channel.close('workerLost')
    this.#close('workerLost')
  }

  #lookAtCheck(state: Extract<State, { readonly kind: 'checking' | 'probing' }>): void {
    const found = this.channel.checkedAt(state.epoch)
    if (found === 'none') return
    this.#endProbe(found)
    this.#state = { kind: 'idle' }
    if (state.kind === 'checking') this.#listener?.onChecked(found)
  }

  /** A probe that is under way is over; whoever asked for it hears of it once this turn's work is done. */
  #endProbe(found: CheckName): void {
    if (this.#state.kind !== 'probing') return
    this.#state.settle(found)
  }

  #close(how: EndName): void {
    const state = this.#state
    if (this.isGone) return
    const known = state.kind === 'closing' ? (state.how ?? how) : how
    this.#endProbe('error')
    this.#state = { kind: 'gone', how: known }
    this.#listener?.onClosed(known)
    this.#freeIfDone()
  }

  #freeIfDone(): void {
    if (this.#pins > 0 || this.#state.kind !== 'gone') return
    this.fence()
    this.#state = { kind: 'free', how: this.#state.how }
    this.#onFree()
  }
}
