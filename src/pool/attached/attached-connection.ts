/**
 * A leased connection on an attached thread: the same channel, heard of by this thread's own doorbell. What changes
 * the connection itself is asked of the pool's thread; whom it belongs to is that thread's to say.
 */

import { LIMITS } from '../../base/limits.ts'
import { Channel } from '../../channel/channel.ts'
import { allocateDoorbell, Doorbell, type DoorbellMemory, Ringer } from '../../channel/doorbell.ts'
import type { EndName } from '../../channel/values.ts'
import type { AttachLine } from '../../threads/attach-line.ts'
import type { GrantData } from '../../threads/attach-protocol.ts'
import type { LeasedConnection } from '../../threads/held-connection.ts'
import type { ConnectionHolder } from '../../threads/io-connection.ts'
import type { SocketFacts, TlsSide } from '../../threads/protocol.ts'

/** The doorbell of an attached thread, and the connections that it is rung for. */
export class AttachedBells {
  readonly memory: DoorbellMemory = allocateDoorbell()
  readonly #connections = new Map<number, AttachedConnection>()
  readonly #doorbell: Doorbell
  readonly #sweep: NodeJS.Timeout

  constructor() {
    this.#doorbell = new Doorbell(this.memory, number => this.#connections.get(number)?.rung(), {
      lingerTurns: LIMITS.poolLingerTurns,
    })
    this.#sweep = setInterval(() => this.#doorbell.findMissed(() => {}), LIMITS.sweepIntervalMs).unref()
  }

  /** Rings that only the sweep timer found; must be 0. */
  get missedWakes(): number {
    return this.#doorbell.missed
  }

  add(connection: AttachedConnection): void {
    const { number } = connection.channel
    // The number is another's by now only where that one's worker died: its end is there to be heard.
    this.#connections.get(number)?.rung()
    this.#connections.set(number, connection)
    this.#doorbell.cover(number + 1)
  }

  remove(connection: AttachedConnection): void {
    const { number } = connection.channel
    if (this.#connections.get(number) === connection) this.#connections.delete(number)
  }

  stop(): void {
    clearInterval(this.#sweep)
    this.#doorbell.stop()
  }
}

export class AttachedConnection implements LeasedConnection {
  readonly id: string
  readonly channel: Channel
  readonly ringer: Ringer
  readonly doorbell: DoorbellMemory
  readonly #lease: number
  readonly #epoch: number
  readonly #line: AttachLine
  readonly #bells: AttachedBells
  readonly #onFault: (error: unknown) => void
  #facts: SocketFacts
  #hasLeft = false
  #holder: ConnectionHolder | null = null
  #onClosed: ((how: EndName) => void) | null = null

  /** `onFault`: told what serving it threw, for which it is closed. */
  constructor(grant: GrantData, line: AttachLine, bells: AttachedBells, onFault: (error: unknown) => void) {
    this.#onFault = onFault
    this.id = grant.connection
    this.channel = new Channel(grant.memory)
    this.ringer = Ringer.of(grant.doorbell)
    this.doorbell = grant.doorbell
    this.#facts = grant.facts
    this.#lease = grant.lease
    this.#epoch = grant.epoch
    this.#line = line
    this.#bells = bells
  }

  get facts(): SocketFacts {
    return this.#facts
  }

  /** The pool's thread has begun the lease; this thread begins to listen. */
  hold(holder: ConnectionHolder): number {
    this.#holder = holder
    this.#bells.add(this)
    return this.#epoch
  }

  /** Asks for one call of `onClosed` when the connection is gone, which may be so already. */
  listen(onClosed: (how: EndName) => void): void {
    this.#onClosed = onClosed
    this.rung()
  }

  /** The lease is over: nothing is heard any more. */
  leave(): void {
    this.#hasLeft = true
    this.#holder = null
    this.#onClosed = null
    this.#bells.remove(this)
  }

  /** A fault in serving it stays its own: the others that the bell was rung for are still served. */
  rung(): void {
    try {
      this.#holder?.rung()
      const { closed } = this.channel
      if (closed !== 'open') this.lose(closed)
    } catch (error) {
      this.channel.endInbound('corrupt')
      this.abort()
      this.#holder?.broke()
      this.#onFault(error)
    }
  }

  /** Tells its holder once that the connection is gone, or might as well be. */
  lose(how: EndName): void {
    const onClosed = this.#onClosed
    this.#onClosed = null
    onClosed?.(how)
  }

  async hush(): Promise<Uint8Array> {
    return (await this.#line.request('hush', { lease: this.#lease })) as Uint8Array
  }

  async secure(as: TlsSide, timeoutMs: number): Promise<void> {
    this.#facts = (await this.#line.request('secure', { lease: this.#lease, as, timeoutMs })) as SocketFacts
  }

  /** As `hush`, blocking. */
  hushSync(): Uint8Array {
    return this.#line.requestSync('hush', { lease: this.#lease }) as Uint8Array
  }

  /** As `secure`, blocking. */
  secureSync(as: TlsSide, timeoutMs: number): void {
    this.#facts = this.#line.requestSync('secure', { lease: this.#lease, as, timeoutMs }) as SocketFacts
  }

  /** Ends the connection; whose it is then, the pool's thread decides when it hears of the end. */
  abort(): void {
    // Once this thread has let go of it, the channel is another's.
    if (this.#hasLeft) return
    this.channel.requestShut('abort')
    this.ringer.ring(this.channel.number)
  }

  /** The pool's thread moves the epoch on once this one has let go. */
  fence(): void {}

  /** The pool's thread keeps the channel from others until then, whatever else this one does with it. */
  pin(): void {}

  unpin(): void {}
}
