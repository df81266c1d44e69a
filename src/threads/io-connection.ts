/**
 * The pool thread's handle of one connection that lives in an I/O worker. Its owner hears of verdicts and of the
 * end through `listener`; whoever holds the lease plugs its two ends in as `holder` and hears of bytes.
 */
import type { Channel, END, VerdictName } from '../channel/channel.ts'
import type { DoorbellMemory, Ringer } from '../channel/doorbell.ts'
import type { SocketFacts, TlsSide } from './protocol.ts'
import type { UpgradePort } from './tls-upgrades.ts'

/** The side that owns the connection: the pool. */
export interface ConnectionListener {
  /** What the I/O worker found after `letGo`. */
  onVerdict(verdict: VerdictName): void
  /** The connection is gone; after this call its channel belongs to somebody else. */
  onClosed(how: Exclude<keyof typeof END, 'open'>): void
}

/** The side that reads and writes. */
export interface ConnectionHolder {
  rung(): void
}

export type IoConnectionParts = {
  readonly id: string
  readonly worker: number
  readonly channel: Channel
  /** The I/O worker's doorbell, to ring here and to lend to other threads. */
  readonly ringer: Ringer
  readonly doorbell: DoorbellMemory
  readonly facts: SocketFacts
  readonly upgrades: UpgradePort
  /** Gives the channel back once the connection is gone. */
  readonly onFree: () => void
}

export class IoConnection {
  readonly id: string
  readonly worker: number
  readonly channel: Channel
  readonly ringer: Ringer
  readonly doorbell: DoorbellMemory
  readonly #upgrades: UpgradePort
  readonly #onFree: () => void
  #facts: SocketFacts
  #listener: ConnectionListener | null = null
  #holder: ConnectionHolder | null = null
  #awaitsVerdict = false
  #isGone = false
  #pins = 0

  constructor(parts: IoConnectionParts) {
    this.id = parts.id
    this.worker = parts.worker
    this.channel = parts.channel
    this.ringer = parts.ringer
    this.doorbell = parts.doorbell
    this.#facts = parts.facts
    this.#upgrades = parts.upgrades
    this.#onFree = parts.onFree
  }

  get facts(): SocketFacts {
    return this.#facts
  }

  /** Stops plain reading before TLS starts; the bytes that had no room in the ring. Errors: as UpgradePort.hush. */
  hush(): Promise<Uint8Array> {
    return this.#upgrades.hush(this.channel)
  }

  /** Starts TLS on the hushed connection. Errors: as UpgradePort.secure; the connection is gone then. */
  async secure(as: TlsSide, timeoutMs: number): Promise<void> {
    this.#facts = await this.#upgrades.secure(this.channel, as, timeoutMs)
  }

  get isGone(): boolean {
    return this.#isGone
  }

  /** Nothing has ended on it and nothing came in: it may be handed out. A greeting counts for the first lease only. */
  get isFresh(): boolean {
    return !this.#isGone && this.channel.inEnd === 'open' && this.channel.closed === 'open'
  }

  listen(listener: ConnectionListener): void {
    this.#listener = listener
  }

  /**
   * Begins a lease: the epoch turns odd, and `holder` hears the doorbell. `thread`: the attached thread whose own
   * doorbell is rung for bytes; `holder` hears then of ends, and of what came before that thread was known.
   */
  hold(holder: ConnectionHolder, thread = 0): void {
    this.channel.setVerdict('none')
    this.channel.setHolder(thread)
    this.channel.advanceEpoch()
    this.#holder = holder
  }

  /** Ends a lease and asks the I/O worker whether the connection may serve again. */
  letGo(): void {
    this.#holder = null
    this.#awaitsVerdict = true
    this.#fence()
  }

  /** Ends the connection at once; ends its lease first where there is one. */
  abort(): void {
    this.#holder = null
    if (this.#isGone) return
    this.channel.requestShut('abort')
    this.#fence()
  }

  /** Ends a lease whose holder has asked to close: what it wrote is still sent. */
  leaveClosing(): void {
    this.#holder = null
    this.#fence()
  }

  /** The pool's doorbell rang for this channel. */
  rung(): void {
    this.#holder?.rung()
    if (this.#awaitsVerdict && this.channel.verdict !== 'none') {
      this.#awaitsVerdict = false
      this.#listener?.onVerdict(this.channel.verdict)
    }
    const { closed } = this.channel
    if (closed !== 'open') this.#close(closed)
  }

  /** Keeps the channel from being reused while another thread reads it; `unpin` as often. */
  pin(): void {
    this.#pins++
  }

  unpin(): void {
    if (--this.#pins === 0 && this.#isGone) this.#onFree()
  }

  /** Ends it from this side: its worker died, or its words make no sense. What was not published is lost. */
  lose(how: 'workerLost' | 'corrupt'): void {
    if (this.#isGone) return
    this.channel.endInbound(how)
    this.channel.close(how)
    this.#close(how)
  }

  #fence(): void {
    if (this.channel.isLeased) this.channel.advanceEpoch()
    this.ringer.ring(this.channel.number)
  }

  #close(how: Exclude<keyof typeof END, 'open'>): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#holder = null
    this.#listener?.onClosed(how)
    if (this.#pins === 0) this.#onFree()
  }
}
