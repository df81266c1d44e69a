/**
 * The ends of one lease in the hands of its holder: brings them into a moment, ends the lease, and uses them again when
 * it has ended. The same code plays on the thread of the pool and on attached threads; no test code is in it.
 */
import type { Lease, StreamReader, StreamWriter } from '../../src/library/index.ts'
import type { BorrowerPart } from '../fixtures/threads/fence-borrower.ts'
import { type Outcome, tried } from './fence-outcome.ts'

/** What no peer may ever get: bytes that were written after the lease had ended. */
export const INJECTED = 'INJECTED'

/** What is put back into readers, and no peer sends. */
export const PUT_BACK = '?'

/** A call that begins in the moment, and may still wait when the lease ends. */
export type Deed =
  | { readonly do: 'read' }
  /** A long line; `waits`: somebody waits for it to be out. */
  | { readonly do: 'flood'; readonly head: string; readonly bytes: number; readonly waits: boolean }
  | { readonly do: 'parse' }
  | {
      readonly do: 'run'
      readonly part: BorrowerPart
      readonly gate: SharedArrayBuffer
      readonly timeoutMs: number
    }
  | { readonly do: 'startTls' }
  /** A REST caller's body, whose first line goes out and whose rest is to come. */
  | { readonly do: 'upload'; readonly line: string }

/** How the holder itself ends the lease; `ttl`: it sets a short one and waits until that has passed. */
export type OwnEnding = 'release' | 'discard' | 'dispose' | 'kill' | 'ttl'

export interface Ends {
  /** Writes a line and resolves with the peer's. */
  greet(line: string): Promise<string>
  /** Begins a call; resolves once it has begun. */
  begin(deed: Deed): Promise<void>
  /** Ends the lease; resolves with the outcome of its release when it has ended. */
  end(how: OwnEnding): Promise<string>
  /** What became of the calls that were begun. */
  waited(): Promise<readonly Outcome[]>
  /**
   * Uses what the holder still has: the reader alone, both streams, or the lease too. `turn` says what is used first, when
   * nothing has heard of the end yet.
   */
  use(turn: number, what: Used): Promise<readonly Outcome[]>
}

/** Ends on this thread, whose calls can be made one by one. */
export interface NearEnds extends Ends {
  /** Writes a line. */
  say(line: string): Promise<void>
  /** The calls of `use`. */
  calls(turn: number, what: Used): readonly Call[]
}

export type Used = 'reader' | 'streams' | 'all'

/** Milliseconds that a call may wait which should have failed at once. */
export const CALL_TIMEOUT_MS = 200

/** Milliseconds of what waits until its lease ends. */
export const LONG_MS = 60_000

export const BORROWER: URL = new URL('../fixtures/threads/fence-borrower.ts', import.meta.url)
/** Milliseconds of a ttl that is to pass. */
export const TTL_MS = 50

const wait = { timeoutMs: CALL_TIMEOUT_MS } as const

export function floodOf({ head, bytes }: { readonly head: string; readonly bytes: number }): Buffer {
  const line = Buffer.alloc(bytes, 'a')
  line.write(head)
  line[bytes - 1] = 0x0a
  return line
}

export type Call = readonly [name: string, run: () => unknown]

/** The groups one after another, another one first at each turn. */
export function inTurns(groups: readonly (readonly Call[])[], turn: number): readonly Call[] {
  const first = turn % groups.length
  return [...groups.slice(first), ...groups.slice(0, first)].flat()
}

function readerCalls(reader: StreamReader): readonly Call[] {
  return [
    ['read', () => reader.read(10, wait)],
    ['readLine', () => reader.readLine(wait)],
    ['readExactly', () => reader.readExactly(1, wait)],
    ['readUntil', () => reader.readUntil(['\n', ';'], wait)],
    ['readInto', () => reader.readInto(new Uint8Array(8), wait)],
    ['peek', () => reader.peek(1, wait)],
    ['read to the end', () => reader.read(-1, wait)],
    ['chunks', async () => (await reader.chunks(wait).next()).value],
    ['lineBatches', async () => (await reader.lineBatches(wait).next()).value],
    ['unread', () => reader.unread(Buffer.from(PUT_BACK))],
  ]
}

function tlsCalls(writer: StreamWriter): readonly Call[] {
  return [['startTls', () => writer.startTls(wait)]]
}

function writerCalls(writer: StreamWriter): readonly Call[] {
  const line = `${INJECTED}\n`
  return [
    ['write', () => writer.write(line)],
    ['writeLines', () => writer.writeLines([line, line])],
    ['send', () => writer.send(line, wait)],
    ['drain', () => writer.drain(wait)],
  ]
}

/** These leave a writer behind that is closed, so that they come last. */
function closingCalls(writer: StreamWriter): readonly Call[] {
  const line = `${INJECTED}\n`
  return [
    ['writeEof', () => writer.writeEof()],
    ['write after writeEof', () => writer.write(line)],
    ['waitClosed', () => writer.waitClosed(wait)],
    ['close', () => writer.close()],
    ['abort', () => writer.abort()],
    ['write after abort', () => writer.write(line)],
    ['drain after abort', () => writer.drain(wait)],
  ]
}

function leaseCalls(lease: Lease): readonly Call[] {
  return [
    ['renew', () => lease.renew()],
    ['parse', () => lease.parse('json', {}, wait)],
    ['messages', async () => (await lease.messages('json', {}, wait).next()).value],
    ['run', () => lease.run(BORROWER, { part: 'line' }, wait)],
    ['toDuplex', () => void lease.toDuplex()],
    ['toWeb', () => void lease.toWeb()],
  ]
}

export async function inTurn(calls: readonly Call[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const [name, run] of calls) outcomes.push(await tried(name, run))
  return outcomes
}

/** A lease whose holder has everything: the lease, its reader and its writer. */
export class LeaseEnds implements NearEnds {
  protected readonly lease: Lease
  protected readonly reader: StreamReader
  protected readonly writer: StreamWriter
  protected readonly waiting: Promise<Outcome>[] = []

  constructor(lease: Lease) {
    this.lease = lease
    this.reader = lease.reader
    this.writer = lease.writer
  }

  async say(line: string): Promise<void> {
    this.writer.write(line)
  }

  async greet(line: string): Promise<string> {
    await this.say(line)
    return String(await this.reader.readLine({ timeoutMs: LONG_MS }))
  }

  async begin(deed: Deed): Promise<void> {
    switch (deed.do) {
      case 'read':
        return this.await('readLine', () => this.reader.readLine())
      case 'flood':
        this.writer.write(floodOf(deed))
        if (deed.waits) this.await('drain', () => this.writer.drain())
        return
      case 'parse':
        return this.await('parse', () => this.lease.parse('json', {}, { timeoutMs: LONG_MS }))
      case 'run': {
        const { part, gate, timeoutMs } = deed
        return this.await('run', () => this.lease.run(BORROWER, { part, gate }, { timeoutMs }))
      }
      case 'startTls':
        return this.await('startTls', () => this.writer.startTls({ timeoutMs: LONG_MS }))
      case 'upload':
        throw new Error('only a REST caller uploads')
      default:
        deed satisfies never
    }
  }

  async end(how: OwnEnding): Promise<string> {
    switch (how) {
      case 'release':
        return (await this.lease.release()).outcome
      case 'discard':
        return (await this.lease.discard()).outcome
      case 'dispose':
        await this.lease[Symbol.asyncDispose]()
        return 'disposed'
      case 'kill':
        this.lease.kill()
        return await this.lease.ended
      case 'ttl':
        this.lease.renew(TTL_MS)
        return await this.lease.ended
      default:
        return how satisfies never
    }
  }

  waited(): Promise<readonly Outcome[]> {
    return Promise.all(this.waiting)
  }

  async use(turn: number, what: Used): Promise<readonly Outcome[]> {
    return await inTurn(this.calls(turn, what))
  }

  calls(turn: number, what: Used): readonly Call[] {
    if (what === 'reader') return readerCalls(this.reader)
    return [...inTurns(this.groups(what), turn), ...closingCalls(this.writer)]
  }

  protected groups(what: Used): readonly (readonly Call[])[] {
    const { lease, reader, writer } = this
    const streams = [writerCalls(writer), tlsCalls(writer), readerCalls(reader)]
    return what === 'all' ? [...streams, leaseCalls(lease)] : streams
  }

  protected await(call: string, run: () => unknown): void {
    this.waiting.push(tried(call, run))
  }
}

/** A reader and a writer that outlive what they were taken from; iterators of the reader are half way through. */
export class KeptEnds extends LeaseEnds {
  protected override groups(): readonly (readonly Call[])[] {
    const { reader, writer } = this
    return [readerCalls(reader), writerCalls(writer), tlsCalls(writer)]
  }
}
