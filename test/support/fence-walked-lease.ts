/** One lease of the walk: what it writes says whose it is, and it knows every byte that its peer may send. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Gate } from '../fixtures/threads/fence-borrower.ts'
import type { Cell } from './fence-cells.ts'
import { type Deed, LONG_MS, type NearEnds, PUT_BACK } from './fence-ends.ts'
import type { Outcome } from './fence-outcome.ts'
import type { Random } from './fence-random.ts'
import { answerTo, type Line, type LineKind, lineText } from './fence-walk-lines.ts'

/** Bytes: more than the ring and most of what the kernel takes of a peer that is deaf for a moment. */
const FLOOD_BYTES = 2_097_152
/** Milliseconds of a borrower's time-out that is to pass. */
const HANG_MS = 60
/** Turns of the event loop that a moment lasts at the most. */
const TURNS_MAX = 6
const HANDSHAKE_TURNS_MAX = 40

export class WalkedLease {
  readonly cell: Cell
  readonly ends: NearEnds
  readonly #whose: Pick<Line, 'tenant' | 'lease' | 'port'>
  readonly #random: Random
  readonly #gate = new Gate()
  #sequence = 0
  /** All that the peer was asked to send. */
  #heard = ''

  constructor(cell: Cell, ends: NearEnds, whose: Pick<Line, 'tenant' | 'lease' | 'port'>, random: Random) {
    this.cell = cell
    this.ends = ends
    this.#whose = whose
    this.#random = random
  }

  /** Whether its reader may give such bytes. */
  isOwn(text: string): boolean {
    return this.#heard.includes(text.replaceAll(PUT_BACK, ''))
  }

  /** A line there and back. */
  async greet(): Promise<void> {
    const line = this.#line('echo')
    const answer = await this.ends.greet(`${lineText(line)}\n`)
    if (answer !== answerTo(line)) throw new Error(`${JSON.stringify(answer)} answered ${lineText(line)}`)
  }

  /** Brings it into its moment. */
  async enter(): Promise<void> {
    const { ends, cell } = this
    switch (cell.moment) {
      case 'idle':
        return
      case 'reading':
        await this.#upload()
        return await ends.begin(this.#isLoan ? this.#loan() : { do: 'read' })
      case 'overfull': {
        await this.#say('deaf')
        const head = lineText(this.#line('mute'))
        await ends.begin({ do: 'flood', head, bytes: FLOOD_BYTES, waits: cell.ending !== 'ttl' })
        if (this.#isLoan) await this.#lend()
        return
      }
      case 'lent':
        return await this.#lend()
      case 'uploading':
        return await this.#upload()
      case 'upgrading':
        await this.#say('tls')
        await ends.begin({ do: 'startTls' })
        // Some end before the peer has the first word of the handshake, some after.
        return await this.#pass(HANDSHAKE_TURNS_MAX)
      default:
        cell.moment satisfies never
    }
  }

  /** Ends it, or its connection first; how its release went, where it was released. */
  async finish(): Promise<string> {
    const { ends, cell } = this
    switch (cell.ending) {
      case 'release':
      case 'discard':
      case 'dispose':
      case 'kill':
      case 'ttl':
        return await ends.end(cell.ending)
      case 'FIN':
        await this.#endByPeer('fin')
        return await ends.end('release')
      case 'RST':
        await this.#endByPeer('rst')
        return ''
      case 'borrower returned':
        return await this.#endBeforeReturn()
      case 'borrower hung':
        await ends.waited()
        return ''
      case 'borrower dead':
        this.#gate.open()
        await ends.waited()
        return ''
      default:
        throw new Error(`one lease alone does not end by ${cell.ending}`)
    }
  }

  get #isLoan(): boolean {
    return this.cell.end === 'lent to parse' || this.cell.end === 'lent to run'
  }

  /** The peer ends the connection, and somebody sees it. */
  async #endByPeer(how: 'fin' | 'rst'): Promise<void> {
    try {
      await this.#say(how)
    } catch (error) {
      // A stream's write may hear of the end that it has asked for.
      const { code } = error as { readonly code?: unknown }
      if (code !== 'CONNECTION_RESET' && code !== 'WRITE_CLOSED') throw error
    }
    if (this.cell.moment === 'idle') await this.ends.begin({ do: 'read' })
    await this.ends.waited()
  }

  async #endBeforeReturn(): Promise<string> {
    const isParse = this.#loan().do === 'parse'
    if (isParse) await this.#say('rest')
    const verdict = await this.ends.end('discard')
    await this.#pass()
    this.#gate.open()
    return verdict
  }

  async #lend(): Promise<void> {
    const loan = this.#loan()
    await this.#say(loan.do === 'parse' ? 'half' : 'byte')
    await this.#upload()
    await this.ends.begin(loan)
    const awaitsGate = loan.do === 'run' && (loan.part === 'gate' || loan.part === 'die')
    // The others may end before their borrower has begun; and these, where their I/O worker is lost.
    if (awaitsGate) await Promise.race([this.#gate.arrived(), this.ends.waited()])
    else await this.#pass()
  }

  #loan(): Deed {
    const { end, ending } = this.cell
    const run = { do: 'run', gate: this.#gate.memory, timeoutMs: LONG_MS } as const
    const runs = end === 'lent to run' || (end === 'attached' && ending.startsWith('borrower'))
    if (!runs) return { do: 'parse' }
    if (ending === 'borrower returned') return { ...run, part: 'gate' }
    if (ending === 'borrower hung') return { ...run, part: 'hang', timeoutMs: HANG_MS }
    return { ...run, part: ending === 'borrower dead' ? 'die' : 'block' }
  }

  /** A REST caller uploads meanwhile. */
  async #upload(): Promise<void> {
    if (this.cell.end !== 'REST') return
    await this.ends.begin({ do: 'upload', line: `${lineText(this.#line('mute'))}\n` })
    await this.#pass()
  }

  async #pass(max = TURNS_MAX): Promise<void> {
    for (let turns = this.#random.below(max); turns > 0; turns--) await nextTurn()
  }

  async #say(kind: LineKind): Promise<void> {
    await this.ends.say(`${lineText(this.#line(kind))}\n`)
  }

  #line(kind: LineKind): Line {
    const line = { ...this.#whose, kind, sequence: this.#sequence++ }
    this.#heard += answerTo(line)
    return line
  }
}

/** What waited may have been served before its lease ended, where the peer took all that it was sent. */
export function mayBeServed({ call, ok }: Outcome): boolean {
  return ok && (call === 'drain' || call === 'web write')
}
