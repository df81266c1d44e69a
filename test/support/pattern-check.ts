/**
 * Bytes that tell where in a stream they stand: byte `p` of stream `seed` is `table[(p + seed × stride) mod 65521]`. The
 * period is a prime just below 64 KiB, so a piece that a ring of any size has moved, doubled or dropped never fits.
 */
const PERIOD = 65_521
const STRIDE = 7_919

/** The table twice, so that any slice of at most one period lies in one piece. */
const table = Buffer.alloc(2 * PERIOD)
let state = 0x9e3779b9
for (let index = 0; index < PERIOD; index++) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
  table[index] = state >>> 24
}
table.copy(table, PERIOD, 0, PERIOD)

/** Bytes `from` to `from + count` of the stream `seed`. */
export function pattern(from: number, count: number, seed = 0): Buffer {
  const bytes = Buffer.allocUnsafe(count)
  for (let done = 0; done < count; ) {
    const start = (from + done + seed * STRIDE) % PERIOD
    const length = Math.min(PERIOD, count - done)
    table.copy(bytes, done, start, start + length)
    done += length
  }
  return bytes
}

/** Takes the pieces of one stream and fails at the first byte that is not in its place. */
export class PatternCheck {
  readonly #seed: number
  #received: number

  /** `received`: bytes of the stream that came before. */
  constructor(seed = 0, received = 0) {
    this.#seed = seed
    this.#received = received
  }

  get received(): number {
    return this.#received
  }

  take(bytes: Uint8Array): void {
    if (pattern(this.#received, bytes.length, this.#seed).compare(bytes) !== 0)
      throw new Error(
        `a wrong byte among the ${bytes.length} at ${this.#received} of the stream ${this.#seed}`,
      )
    this.#received += bytes.length
  }
}
