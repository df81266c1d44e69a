/**
 * What every frame must hold, whatever its protocol: the same messages come out however the bytes are cut into pieces, and
 * whatever a peer sends, a cutter gives whole messages or one of its two errors, in time that grows with the bytes alone.
 *
 * Pieces lie in shared memory between bytes that are not theirs, and are written over once they were looked at, as in a
 * ring: a cutter that reads beside its piece, or keeps a view of it, gives another outcome than with a copy of its own.
 */
import { expect } from 'vitest'
import { LimitOverrunError, SockpoolError } from '../../src/base/errors.ts'
import type { AnswerCutter, Frame, Message, MessageCutter } from '../../src/frames/frame.ts'
import { Random } from './fence-random.ts'

/** A message without `taken`, which depends on the pieces. */
export type CutMessage = { readonly length: number } & Readonly<Record<string, unknown>>

export type CutEnding = 'between' | 'within' | 'last' | 'FRAME_BROKEN' | 'LIMIT_OVERRUN'

export type CutOutcome = {
  readonly messages: readonly CutMessage[]
  /** `between` or `within` messages; `last`: nothing can follow the last one; or the code of the error. */
  readonly ending: CutEnding
  /** What LIMIT_OVERRUN says that can be taken; else null. */
  readonly consumed: number | null
}

/** What one side of a conversation sends. */
export type CutSide = {
  /** A new cutter, which may have been told of requests: see `answersTo`. */
  readonly open: () => MessageCutter<Message>
  /** Text is latin1, a character a byte. */
  readonly bytes: Uint8Array | string
  /** Whether the stream ends behind the bytes: `end()` is asked for the message that ends so. Default: false. */
  readonly ends?: boolean
}

/** Answers to requests of these bytes, which must be whole messages of the frame. */
export function answersTo(frame: Frame, requests: Uint8Array | string): () => AnswerCutter {
  const cutter = frame.requests()
  if (cutter === null) throw new Error(`requests of ${frame.name} cannot be cut`)
  const asked = [...messagesOf(cutter, bytesOf(requests))]
  if (!cutter.isBetween) throw new Error('the requests end within one')
  return () => {
    const answers = frame.answers()
    for (const request of asked) answers.asked(request)
    return answers
  }
}

/**
 * Checks that the bytes are these messages: whole, cut in two at every byte, in pieces of random sizes, and a byte at a time.
 * Of a message, what is named must be so: `[{ length: 3 }, { length: 5, kind: 'push' }]`.
 */
export function expectCuts(
  side: CutSide,
  messages: readonly CutMessage[],
  ending: CutEnding = 'between',
): void {
  const bytes = bytesOf(side.bytes)
  const whole = play(side, [bytes])
  expect(whole.ending).toBe(ending)
  expect(whole.messages).toHaveLength(messages.length)
  expect(whole.messages).toMatchObject(messages)
  const check = (pieces: readonly Uint8Array[], how: string): void =>
    expect(play(side, pieces), how).toEqual(whole)
  if (bytes.length <= 2_048)
    for (let at = 0; at <= bytes.length; at++)
      check([bytes.subarray(0, at), bytes.subarray(at)], `cut at byte ${at}`)
  for (let seed = 1; seed <= 50; seed++)
    check(randomPieces(bytes, Random.of(seed, 0)), `in random pieces of seed ${seed}`)
  check(
    Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)),
    'a byte at a time',
  )
}

/** What comes out of the pieces. Throws whatever a cutter must not do. */
export function play(side: CutSide, pieces: Iterable<Uint8Array>, place: Place = asRing(0x0a)): CutOutcome {
  const cutter = side.open()
  const messages: CutMessage[] = []
  let pending = 0
  const note = ({ taken, ...message }: Message): boolean => {
    pending += taken
    if (message.length !== pending) throw new Error(`says length ${message.length} of ${pending} bytes`)
    pending = 0
    messages.push(message)
    return 'isLast' in message && message.isLast === true
  }
  const outcome = (ending: CutEnding, consumed: number | null = null): CutOutcome => ({
    messages,
    ending,
    consumed,
  })
  try {
    for (const piece of pieces) {
      const placed = place(piece)
      let rest = placed
      for (let message = cutter.next(rest); message !== null; message = cutter.next(rest)) {
        if (!(message.taken >= 1 && message.taken <= rest.length))
          throw new Error(`took ${message.taken} of ${rest.length} bytes`)
        if (note(message)) return outcome('last')
        if (!cutter.isBetween) throw new Error('is not between two messages behind one')
        rest = rest.subarray(message.taken)
        if (rest.length === 0) break
      }
      pending += rest.length
      placed.fill(0x2a)
      if (cutter.isBetween !== (pending === 0))
        throw new Error(`isBetween is ${cutter.isBetween} with ${pending} bytes of a message`)
    }
    if (side.ends !== true) return outcome(pending === 0 ? 'between' : 'within')
    const last = (cutter as AnswerCutter).end()
    if (last !== null) return outcome(note(last) ? 'last' : 'between')
    if (pending > 0) throw new Error(`ends without a word within a message, of which ${pending} bytes came`)
    return outcome('between')
  } catch (error) {
    if (error instanceof LimitOverrunError) return outcome('LIMIT_OVERRUN', error.consumed)
    if (error instanceof SockpoolError && error.code === 'FRAME_BROKEN') return outcome('FRAME_BROKEN')
    throw error
  }
}

/** Puts a piece where the cutter is to find it. */
type Place = (piece: Uint8Array) => Uint8Array

/** Bytes beside the piece on either side, in the ring. */
const BESIDE = 64

/** In shared memory that is otherwise full of one byte. */
function asRing(beside: number): Place {
  let ring = new Uint8Array(new SharedArrayBuffer(0))
  return piece => {
    if (ring.length < piece.length + 2 * BESIDE)
      ring = new Uint8Array(new SharedArrayBuffer(2 * piece.length + 2 * BESIDE))
    ring.fill(beside, 0, BESIDE)
    ring.fill(beside, BESIDE + piece.length, 2 * BESIDE + piece.length)
    ring.set(piece, BESIDE)
    return ring.subarray(BESIDE, BESIDE + piece.length)
  }
}

/** In a copy of its own. */
const asCopy: Place = piece => new Uint8Array(piece)

/** Changed samples that are played: all that is promised in the long form, and a share of them else. */
const RUNS = process.env['SOCKPOOL_TEST_LONG'] === '1' ? 100_000 : 10_000

/**
 * Plays samples with changes, whole as a copy and in random pieces in a ring, and checks that both give the same. The text
 * of a failure has the bytes and the pieces.
 */
export function fuzzCuts(
  open: () => MessageCutter<Message>,
  samples: readonly (Uint8Array | string)[],
  { seed = 1, runs = RUNS }: { readonly seed?: number; readonly runs?: number } = {},
): void {
  const originals = samples.map(bytesOf)
  const ends = 'end' in open()
  const rings = [0x00, 0x0a, 0x0d, 0x30, 0xff].map(asRing)
  for (let run = 0; run < runs; run++) {
    const random = Random.of(seed, run)
    let bytes = originals[random.below(originals.length)] ?? new Uint8Array()
    for (let changes = 1 + random.below(3); changes > 0; changes--) bytes = changed(bytes, originals, random)
    const pieces = randomPieces(bytes, random)
    const side = { open, bytes, ends: ends && random.chance(0.5) }
    const where = (): string =>
      `seed ${seed}, run ${run}: ${Buffer.from(bytes).toString('latin1').slice(0, 2_000)} in ${pieces.map(piece => piece.length)}`
    try {
      const whole = JSON.stringify(play(side, [bytes], asCopy))
      const cut = JSON.stringify(play(side, pieces, rings[run % rings.length]))
      if (cut !== whole) throw new Error(`${cut} instead of ${whole}`)
    } catch (error) {
      throw new Error(`${where()}: ${error}`, { cause: error })
    }
  }
}

/**
 * Checks that bytes which hold a cutter up, a MiB or so of them, take less than a second whole, by the byte, and in pieces
 * of a few; time beyond it ends the play. Gives what came out, for the caller to check that the bytes were all looked at.
 */
export function expectLinear(side: CutSide): CutOutcome {
  const bytes = bytesOf(side.bytes)
  expect(bytes.length).toBeGreaterThanOrEqual(1_048_576)
  const outcomes = [bytes.length, 1, 7, 4_096].map(step =>
    play(side, timed(bytes, step, 1_000), piece => piece),
  )
  const [whole, ...cut] = outcomes
  if (whole === undefined) throw new Error('nothing was played')
  for (const outcome of cut) expect(outcome).toEqual(whole)
  return whole
}

function* timed(bytes: Uint8Array, step: number, budgetMs: number): Iterable<Uint8Array> {
  const copy = new Uint8Array(bytes)
  const { user, system } = process.cpuUsage()
  const check = (at: number): void => {
    const used = process.cpuUsage()
    const ms = (used.user + used.system - user - system) / 1_000
    if (ms > budgetMs) throw new Error(`took ${ms} ms of CPU for ${at} bytes in pieces of ${step}`)
  }
  for (let at = 0; at < copy.length; at += step) {
    yield copy.subarray(at, at + step)
    if (at % 4_096 < step) check(at)
  }
  check(copy.length)
}

function* messagesOf<M extends Message>(cutter: MessageCutter<M>, bytes: Uint8Array): Iterable<M> {
  let rest = bytes
  while (rest.length > 0) {
    const message = cutter.next(rest)
    if (message === null) return
    yield message
    rest = rest.subarray(message.taken)
  }
}

/** Latin1, so that a character is a byte. */
function bytesOf(bytes: Uint8Array | string): Uint8Array {
  return typeof bytes === 'string' ? new Uint8Array(Buffer.from(bytes, 'latin1')) : bytes
}

/** Pieces of sizes of one order, some of them empty. */
function randomPieces(bytes: Uint8Array, random: Random): Uint8Array[] {
  const sizeMax = [2, 4, 16, 256][random.below(4)] ?? 2
  const pieces: Uint8Array[] = []
  for (let at = 0; at < bytes.length; ) {
    const size = random.below(sizeMax + 1)
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}

const HUGE = ['99999999999999999999', '2147483648', '4294967295', '9007199254740993', '-1', '0', '']

function changed(bytes: Uint8Array, samples: readonly Uint8Array[], random: Random): Uint8Array {
  const at = random.below(bytes.length + 1)
  const size = Math.min(bytes.length - at, 1 + random.below(8))
  const spliced = (end: number, ...parts: readonly Uint8Array[]): Uint8Array =>
    new Uint8Array(Buffer.concat([bytes.subarray(0, at), ...parts, bytes.subarray(end)]))
  switch (random.below(9)) {
    case 0: {
      const flipped = new Uint8Array(bytes)
      if (at < bytes.length) flipped[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
      return flipped
    }
    case 1:
      return spliced(
        at,
        Uint8Array.from({ length: 1 + random.below(4) }, () => random.below(256)),
      )
    case 2:
      return spliced(at + size)
    case 3:
      return bytes.subarray(0, at)
    case 4:
      return spliced(at, bytes.subarray(random.below(at + 1), at))
    case 5:
      return spliced(at + size, new Uint8Array(size).fill([0x00, 0x7f, 0x80, 0xff][random.below(4)] ?? 0))
    case 6:
      return spliced(at, samples[random.below(samples.length)] ?? bytes)
    case 7: {
      const text = Buffer.from(bytes.subarray(at)).toString('latin1')
      const digits = /\d+/.exec(text)
      if (digits === null) return spliced(bytes.length, Uint8Array.of(0x0d, 0x0a))
      const huge = HUGE[random.below(HUGE.length)] ?? ''
      return spliced(bytes.length, bytesOf(text.replace(digits[0], huge)))
    }
    default:
      return spliced(at, bytesOf(['\r', '\n', '\r\n', '\0', ' ', ':'][random.below(6)] ?? ''))
  }
}
