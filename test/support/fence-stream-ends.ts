/** As LeaseEnds, for leases that were handed over as a stream: their reader and writer are kept beside it. */
import type { Lease } from '../../src/library/index.ts'
import { type Call, type Deed, floodOf, INJECTED, LeaseEnds, type Used } from './fence-ends.ts'
import { nextEvent } from './next-event.ts'

/** A lease that was handed over as a net.Socket. */
export class DuplexEnds extends LeaseEnds {
  readonly #duplex: ReturnType<Lease['toDuplex']>
  /** Resolves when it is closed, rejects where an error closed it. */
  readonly #closed: Promise<string>

  constructor(lease: Lease) {
    super(lease)
    const duplex = lease.toDuplex()
    this.#duplex = duplex
    let error: unknown = null
    duplex.on('error', told => {
      error = told
    })
    this.#closed = nextEvent(duplex, 'close').then(hadError => {
      if (hadError === true) throw error
      return 'closed'
    })
    this.#closed.catch(() => 'whoever waits hears of it')
  }

  override async say(line: string): Promise<void> {
    this.#duplex.write(line)
  }

  override async greet(line: string): Promise<string> {
    await this.say(line)
    // One that was paused before flows again only when it is told to.
    const answer = new Promise<unknown>(resolve => this.#duplex.once('data', resolve).resume())
    const first = await Promise.race([answer, this.#closed])
    this.#duplex.pause()
    return String(first)
  }

  override async begin(deed: Deed): Promise<void> {
    if (deed.do === 'flood') this.#duplex.write(floodOf(deed))
    else if (deed.do === 'read') this.#duplex.on('data', () => {}).resume()
    else throw new Error(`a duplex does not ${deed.do}`)
    this.await('duplex close', () => this.#closed)
  }

  override calls(turn: number, what: Used): readonly Call[] {
    const duplex = this.#duplex
    const written = (data: string): Promise<void> =>
      new Promise((resolve, reject) => duplex.write(data, error => (error ? reject(error) : resolve())))
    const mine: Call[] = [
      ['duplex.write', () => written(`${INJECTED}\n`)],
      ['duplex.read', () => duplex.read() as Buffer | null],
      // A destroyed stream never calls back from `end`.
      ['duplex.end', () => void duplex.end()],
    ]
    return [...(what === 'reader' ? [] : mine), ...super.calls(turn, what)]
  }
}

/** A lease that was handed over as web streams. */
export class WebEnds extends LeaseEnds {
  readonly #from: ReadableStreamDefaultReader<Uint8Array>
  readonly #to: WritableStreamDefaultWriter<string | ArrayBufferView | ArrayBuffer>

  constructor(lease: Lease) {
    super(lease)
    const { readable, writable } = lease.toWeb()
    this.#from = readable.getReader() as ReadableStreamDefaultReader<Uint8Array>
    this.#to = writable.getWriter()
    for (const closed of [this.#from.closed, this.#to.closed]) closed.catch(() => {})
  }

  override async say(line: string): Promise<void> {
    await this.#to.write(line)
  }

  override async greet(line: string): Promise<string> {
    await this.say(line)
    return Buffer.from((await this.#from.read()).value ?? []).toString()
  }

  override async begin(deed: Deed): Promise<void> {
    if (deed.do === 'flood') this.await('web write', () => this.#to.write(floodOf(deed)))
    else if (deed.do === 'read') this.await('web read', () => this.#from.read())
    else throw new Error(`a web stream does not ${deed.do}`)
  }

  override calls(turn: number, what: Used): readonly Call[] {
    const mine: Call[] = [
      ['web write', () => this.#to.write(`${INJECTED}\n`)],
      ['web read', () => this.#from.read()],
      ['web close', () => this.#to.close()],
    ]
    return [...(what === 'reader' ? [] : mine), ...super.calls(turn, what)]
  }
}
