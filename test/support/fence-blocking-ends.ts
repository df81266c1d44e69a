/** As LeaseEnds, for a lease that blocks its thread. */
import type { BlockingLease } from '../../src/library/index.ts'
import {
  CALL_TIMEOUT_MS,
  type Call,
  type Deed,
  floodOf,
  INJECTED,
  inTurns,
  LONG_MS,
  type OwnEnding,
  PUT_BACK,
  TTL_MS,
  type Used,
} from './fence-ends.ts'
import { type Outcome, triedSync } from './fence-outcome.ts'

const wait = { timeoutMs: CALL_TIMEOUT_MS } as const

export class BlockingEnds {
  readonly #lease: BlockingLease
  readonly #waited: Outcome[] = []

  constructor(lease: BlockingLease) {
    this.#lease = lease
  }

  say(line: string): void {
    this.#lease.writer.write(line)
  }

  greet(line: string): string {
    this.say(line)
    return this.#lease.reader.readLine({ timeoutMs: LONG_MS }).toString()
  }

  /** Blocks until the call has come to its end. */
  begin(deed: Deed): void {
    const { reader, writer } = this.#lease
    if (deed.do === 'read') this.#note('readLine', () => reader.readLine())
    else if (deed.do === 'flood') this.#note('write', () => writer.write(floodOf(deed)))
    else if (deed.do === 'startTls') this.#note('startTls', () => writer.startTls({ timeoutMs: LONG_MS }))
    else throw new Error(`a blocking lease does not ${deed.do}`)
  }

  /** A blocking lease ends by its ttl when its thread hears of it. */
  end(how: OwnEnding): string {
    const lease = this.#lease
    if (how === 'release') return lease.release().outcome
    if (how === 'discard') return lease.discard().outcome
    if (how === 'ttl') {
      lease.renew(TTL_MS)
      return 'waits'
    }
    if (how === 'kill') throw new Error('nobody but the pool kills a blocking lease')
    lease[Symbol.dispose]()
    return 'disposed'
  }

  waited(): readonly Outcome[] {
    return this.#waited
  }

  /** Whether the thread has heard of its end. */
  get isGone(): boolean {
    return this.#lease.gone !== null
  }

  use(turn: number, what: Used): readonly Outcome[] {
    return this.calls(turn, what).map(([name, run]) => triedSync(name, run))
  }

  #note(call: string, run: () => unknown): void {
    this.#waited.push(triedSync(call, run))
  }

  /** The calls of `use`. */
  calls(turn: number, what: Used): readonly Call[] {
    const lease = this.#lease
    const { reader, writer } = lease
    const line = `${INJECTED}\n`
    const writes: readonly Call[] = [
      ['write', () => writer.write(line, wait)],
      ['writeLines', () => writer.writeLines([line, line], wait)],
      ['drain', () => writer.drain(wait)],
    ]
    const upgrades: readonly Call[] = [['startTls', () => writer.startTls(wait)]]
    const reads: readonly Call[] = [
      ['read', () => reader.read(10, wait)],
      ['readLine', () => reader.readLine(wait)],
      ['readExactly', () => reader.readExactly(1, wait)],
      ['readUntil', () => reader.readUntil('\n', wait)],
      ['readInto', () => reader.readInto(new Uint8Array(8), wait)],
      ['peek', () => reader.peek(1, wait)],
      ['unread', () => reader.unread(Buffer.from(PUT_BACK))],
    ]
    const renewals: readonly Call[] = what === 'all' ? [['renew', () => lease.renew()]] : []
    return [
      ...inTurns([writes, upgrades, reads, renewals], turn),
      ['writeEof', () => writer.writeEof()],
      ['write after writeEof', () => writer.write(line, wait)],
      ['waitClosed', () => writer.waitClosed(wait)],
      ['close', () => writer.close()],
      ['abort', () => writer.abort()],
      ['write after abort', () => writer.write(line, wait)],
      ['drain after abort', () => writer.drain(wait)],
    ]
  }
}
