/**
 * What a real server answers, recorded over a plain socket, and what a frame makes of it. Where an answer ends, the frame
 * under test is not asked: behind each request goes a fence, a question whose answer is known to the byte, and what comes
 * before that is the answer; or the server says how much it has written.
 */
import { EventEmitter, once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, onTestFinished } from 'vitest'
import type { Frame, PeerMessage } from '../../src/frames/frame.ts'
import { AnswerCut } from '../../src/pool/multiplex/answer-cut.ts'
import { Random } from './fence-random.ts'
import { answersTo, expectCuts } from './frame-cuts.ts'
import type { Place } from './services.ts'

/** Text is latin1, a character a byte. */
type Bytes = string | Uint8Array

export type LiveMessage = {
  readonly bytes: Buffer
  readonly kind: PeerMessage['kind']
  readonly isLast: boolean
}

/** A request, and all that came from it to the next. */
export type LiveExchange = { readonly request: Buffer; readonly messages: readonly LiveMessage[] }

/** A question and its answer, to the byte. `count`: how many were asked before. */
export type Fence = (count: number) => { readonly request: Bytes; readonly answer: Bytes }

export type AskOptions = {
  /** Messages that are known to the byte and come first. Default: none. */
  readonly first?: readonly { readonly kind: PeerMessage['kind']; readonly bytes: Bytes }[]
}

/** Milliseconds that a server has for an answer. */
const ANSWER_MS = 10_000

/** One connection to a server. It ends with the test. */
export class LiveTalk {
  readonly exchanges: LiveExchange[] = []
  readonly socket: Socket
  /** Says `change` when something came, or may be true now. */
  readonly #changes = new EventEmitter()
  readonly #fence: Fence
  #fences = 0
  #received = Buffer.alloc(0)
  #isEnded = false

  private constructor(socket: Socket, fence: Fence) {
    this.socket = socket
    this.#fence = fence
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#changes.emit('change')
    })
    socket.on('end', () => {
      this.#isEnded = true
      this.#changes.emit('change')
    })
  }

  static async open(place: Place, fence: Fence): Promise<LiveTalk> {
    const talk = new LiveTalk(connect(place), fence)
    onTestFinished(() => void talk.socket.destroy())
    await once(talk.socket, 'connect')
    return talk
  }

  /** Asks, has the fence asked behind it, and notes both; the answer. */
  async ask(request: Bytes, options: AskOptions = {}): Promise<Buffer> {
    const fence = this.#fence(this.#fences++)
    this.socket.write(Buffer.concat([bytesOf(request), bytesOf(fence.request)]))
    const end = bytesOf(fence.answer)
    const what = `an answer to ${shown(request)} and ${shown(end)}`
    await this.#comes(what, received => received.subarray(-end.length).equals(end))
    const answer = this.#note(request, this.#take(this.#received.length - end.length), options)
    this.#note(fence.request, this.#take(end.length), {})
    return answer
  }

  /** Asks without a fence; what comes is whole when it has the length that is told. */
  async askFor(request: Bytes, length: Promise<number>): Promise<Buffer> {
    this.socket.write(bytesOf(request))
    const whole = await length
    await this.#comes(`an answer to ${shown(request)}`, received => received.length === whole)
    return this.#note(request, this.#take(whole), {})
  }

  /** Asks what the server answers by its last bytes. */
  async askLast(request: Bytes): Promise<Buffer> {
    this.socket.write(bytesOf(request))
    await this.#comes('the end of the stream', () => this.#isEnded)
    return this.#note(request, this.#take(this.#received.length), {}, true)
  }

  /** Resolves when these bytes lie there, which nobody has asked for. */
  async hears(bytes: Bytes): Promise<void> {
    const awaited = bytesOf(bytes)
    await this.#comes(shown(bytes), received => received.equals(awaited))
  }

  async #comes(what: string, condition: (received: Buffer) => boolean): Promise<void> {
    const signal = AbortSignal.timeout(ANSWER_MS)
    while (!condition(this.#received)) {
      const why = this.#isEnded ? 'the stream ended' : signal.aborted ? `within ${ANSWER_MS} ms` : null
      if (why !== null) throw new Error(`${what} did not come (${why}), but ${shown(this.#received)}`)
      await once(this.#changes, 'change', { signal }).catch(error => {
        if (!signal.aborted) throw error
      })
    }
  }

  #take(length: number): Buffer {
    const taken = this.#received.subarray(0, length)
    this.#received = this.#received.subarray(length)
    return taken
  }

  #note(request: Bytes, came: Buffer, { first = [] }: AskOptions, isLast = false): Buffer {
    const messages: LiveMessage[] = []
    let rest = came
    for (const { kind, bytes } of first) {
      const known = bytesOf(bytes)
      expect(rest.subarray(0, known.length).toString('latin1')).toBe(known.toString('latin1'))
      messages.push({ bytes: known, kind, isLast: false })
      rest = rest.subarray(known.length)
    }
    if (rest.length > 0) messages.push({ bytes: rest, kind: 'answer', isLast })
    this.exchanges.push({ request: bytesOf(request), messages })
    return rest
  }
}

/** Bytes up to which expectCuts cuts at every byte. */
const EVERY_BYTE_MAX = 2_048

/**
 * Checks that the frame cuts what came into what was asked for: each answer by itself, and all of them as they came. What
 * puts messages together for callers has every byte of them.
 */
export function expectLiveCuts(frame: Frame, exchanges: readonly LiveExchange[]): void {
  const seen = new Set<string>()
  for (const exchange of exchanges) {
    const { messages } = exchange
    const bytes = Buffer.concat(messages.map(message => message.bytes))
    const key = bytes.toString('latin1')
    // Fences answer alike, and what is long is cut at random places below, among the others.
    if (seen.has(key) || bytes.length > EVERY_BYTE_MAX) continue
    seen.add(key)
    expectExchanges(frame, [exchange])
  }
  expectExchanges(frame, exchanges)
  for (let seed = 1; seed <= 10; seed++) expectWhole(frame, exchanges, Random.of(seed, 1))
}

function expectExchanges(frame: Frame, exchanges: readonly LiveExchange[]): void {
  const messages = exchanges.flatMap(exchange => exchange.messages)
  const isOver = messages.at(-1)?.isLast === true
  const requests = Buffer.concat(exchanges.map(({ request }) => request))
  const open = frame.requests() === null ? () => frame.answers() : answersTo(frame, requests)
  expectCuts(
    { open, bytes: Buffer.concat(messages.map(({ bytes }) => bytes)), ends: isOver },
    messages.map(({ bytes, kind, isLast }) => ({ length: bytes.length, kind, isLast })),
    isOver ? 'last' : 'between',
  )
}

function expectWhole(frame: Frame, exchanges: readonly LiveExchange[], random: Random): void {
  const expected = exchanges.flatMap(exchange => exchange.messages)
  const found: { readonly bytes: Buffer; readonly kind: string }[] = []
  const cut = new AnswerCut(
    frame,
    (bytes, isPush) => void found.push({ bytes, kind: isPush ? 'push' : 'answer' }),
  )
  const requests = frame.requests()
  for (const { request } of exchanges)
    for (let at = 0; requests !== null && at < request.length; ) {
      const asked = requests.next(request.subarray(at))
      if (asked === null) throw new Error('a request is no whole message')
      cut.asked(asked)
      at += asked.taken
    }
  const all = Buffer.concat(expected.map(({ bytes }) => bytes))
  for (let at = 0; at < all.length; ) {
    const to = at + 1 + random.below(4_096)
    cut.add(all.subarray(at, to), 0, Number.POSITIVE_INFINITY)
    at = to
  }
  cut.end()
  expect(found.length).toBe(expected.length)
  for (const [index, { bytes, kind }] of expected.entries()) {
    expect(found[index]?.kind).toBe(kind)
    expect(found[index]?.bytes.equals(bytes)).toBe(true)
  }
}

/** For the text of a failure. */
function shown(bytes: Bytes): string {
  return JSON.stringify(bytesOf(bytes).toString('latin1').slice(0, 500))
}

function bytesOf(bytes: Bytes): Buffer {
  return typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes)
}
