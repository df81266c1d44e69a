/**
 * A request body that is read ahead of whoever takes it, in pieces with memory of their own. Ahead are a few pieces, and
 * more only while its taker is held up by the client itself: one that sends all before it reads any of its answer would
 * wait for ever.
 */
import { largeMemory } from '../../base/large-memory.ts'
import { LIMITS } from '../../base/limits.ts'
import type { RequestBody } from './request-body.ts'

export type BodyAheadOptions = {
  /** Bytes of a body that may be ahead as a whole. */
  readonly gatherMax: number
  /** Whether so many bytes may be held beside what is always ahead. */
  readonly mayHold: (bytes: number) => boolean
}

/** Pieces to parse, and whether the body ends with them. */
export type TakenPieces = { readonly pieces: readonly Uint8Array[]; readonly isLast: boolean }

type End =
  | { readonly kind: 'open' }
  | { readonly kind: 'ended' }
  | { readonly kind: 'failed'; readonly error: unknown }

/** Memory, and how much of it is filled. */
type Piece = { readonly memory: ArrayBuffer; length: number }

export class BodyAhead {
  readonly #options: BodyAheadOptions
  #pieces: Piece[] = []
  #bytes = 0
  #total = 0
  #wanted = 0
  #end: End = { kind: 'open' }
  #isStopped = false
  #isBlocked = false
  /** Who waits for bytes, and who for room. */
  #onBytes: (() => void) | null = null
  #onRoom: (() => void) | null = null

  /** `body`: null for a request without one. */
  constructor(body: RequestBody | null, options: BodyAheadOptions) {
    this.#options = options
    if (body === null) this.#end = { kind: 'ended' }
    else void this.#read(body)
  }

  /** Bytes that came and were not taken. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Resolves when `count` bytes are there, the body has ended, or the time has passed and there are some. Errors: those of the
   * body.
   */
  async more(count: number, patienceMs: number = Number.POSITIVE_INFINITY): Promise<void> {
    this.#wanted = count
    this.#makeRoom()
    const until = performance.now() + patienceMs
    while (this.#bytes < count && this.#end.kind === 'open') {
      const leftMs = until - performance.now()
      if (leftMs <= 0 && this.#bytes > 0) break
      await this.#change(this.#bytes > 0 ? leftMs : Number.POSITIVE_INFINITY)
    }
    if (this.#end.kind === 'failed') throw this.#end.error
  }

  /** All that is there. */
  take(): TakenPieces {
    const pieces = this.#pieces.map(({ memory, length }) => new Uint8Array(memory, 0, length))
    this.#pieces = []
    this.#bytes = 0
    this.#wanted = 0
    this.#makeRoom()
    return { pieces, isLast: this.#end.kind === 'ended' }
  }

  /** While `write` waits for the client, the body is taken in as far as it may be gathered. */
  async whileBlocked(write: () => Promise<void>): Promise<void> {
    this.#isBlocked = true
    this.#makeRoom()
    try {
      await write()
    } finally {
      this.#isBlocked = false
    }
  }

  /** Nobody takes any more. */
  stop(): void {
    this.#isStopped = true
    this.#pieces = []
    this.#makeRoom()
  }

  async #read(body: RequestBody): Promise<void> {
    try {
      for (;;) {
        while (!this.#isStopped && !this.#mayRead()) await new Promise<void>(done => (this.#onRoom = done))
        if (this.#isStopped) return
        const chunk = await body.next()
        if (chunk === null) break
        this.#add(chunk)
        this.#tell()
      }
      this.#end = { kind: 'ended' }
    } catch (error) {
      this.#end = { kind: 'failed', error }
    }
    this.#tell()
  }

  #mayRead(): boolean {
    if (this.#bytes < Math.max(LIMITS.parseAheadBytes, this.#wanted)) return true
    const { gatherMax, mayHold } = this.#options
    return this.#isBlocked && this.#total < gatherMax && mayHold(this.#bytes)
  }

  /** A copy: the chunk's memory may be that of others too. */
  #add(chunk: Buffer): void {
    this.#bytes += chunk.length
    this.#total += chunk.length
    let rest = chunk
    while (rest.length > 0) {
      let last = this.#pieces.at(-1)
      if (last === undefined || last.length === last.memory.byteLength) {
        last = { memory: this.#memoryFor(rest.length), length: 0 }
        this.#pieces.push(last)
      }
      const count = Math.min(rest.length, last.memory.byteLength - last.length)
      new Uint8Array(last.memory, last.length, count).set(rest.subarray(0, count))
      last.length += count
      rest = rest.subarray(count)
    }
  }

  /** What comes alone has little memory; what comes while others wait to be taken is likely to be followed by more. */
  #memoryFor(bytes: number): ArrayBuffer {
    if (this.#pieces.length === 0 && bytes < LIMITS.heldBytesMin) return new ArrayBuffer(bytes)
    return largeMemory(Math.max(bytes, LIMITS.parsePartBytes))
  }

  /** Resolves at the next change, or when the time has passed. */
  async #change(waitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = Number.isFinite(waitMs) ? setTimeout(resolve, Math.max(1, waitMs)) : null
    this.#onBytes = resolve
    await promise
    if (timer !== null) clearTimeout(timer)
    this.#onBytes = null
  }

  #tell(): void {
    this.#onBytes?.()
  }

  #makeRoom(): void {
    const wake = this.#onRoom
    this.#onRoom = null
    wake?.()
  }
}
