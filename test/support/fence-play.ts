/**
 * Plays one cell of the fence: brings a lease into its moment, ends it, gives the channel to a stranger, uses every end of
 * the ended lease again, and looks whether the stranger or its peer noticed anything.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Gate } from '../fixtures/threads/fence-borrower.ts'
import { CELLS, type Cell } from './fence-cells.ts'
import { endLease, isDeaf } from './fence-endings.ts'
import { INJECTED, type Used } from './fence-ends.ts'
import { type Phase, strangeOf, wrongOf } from './fence-judge.ts'
import type { Lane, Stranger } from './fence-lane.ts'
import { enterMoment } from './fence-moments.ts'
import type { Outcome } from './fence-outcome.ts'
import { type FencePeer, PATIENCE_MS } from './fence-peers.ts'
import { exchangeLines, holds, type Scene, shown } from './fence-scene.ts'
import { poolCounts } from './open-connections.ts'
import { within } from './service-process.ts'

/** Milliseconds of all calls together, should each wait in vain. */
const USE_MS = 15_000
/** Calls that looked at another's channel which are told of a cell; the others say the same. */
const STRANGE_MAX = 3
/** Leases that may come before the one that gets the channel. */
const OTHERS_MAX = 3
const GREETING = 'a:hello\n'

/** What is wrong with a cell: bytes, words or slots that moved or were lost, and calls that were answered otherwise. */
export type Faults = { readonly moved: readonly string[]; readonly answered: readonly string[] }

export async function playCell(cell: Cell, lane: Lane): Promise<Faults> {
  const moved: string[] = []
  const answered: string[] = []
  try {
    // A borrower's time-out is not to pass while its thread starts.
    if (cell.ending === 'borrower hung') await lane.warmBorrower()
    const { ends, port } = await lane.open(cell.end)
    const channel = lane.log.last
    const peer = await lane.peers.from(port)
    const scene = { cell, lane, ends, port, peer, channel, gate: new Gate(), used: [], wrong: moved }
    await new Play(scene, answered).run()
  } catch (error) {
    moved.push(`it stopped: ${error instanceof Error ? error.message : String(error)}`)
  }
  return { moved, answered }
}

/** What the ends are to be used under the eyes of. */
type Witness = { readonly stranger: Stranger; readonly peer: FencePeer; readonly before: string }

class Play {
  readonly #scene: Scene
  readonly #answered: string[]
  /** What the lease has written before; a counter that has moved no more fits the next lease's, one at 0 does. */
  readonly #greeting: string
  #turn: number
  #strange = 0
  /** Strangers on other channels, which hold them meanwhile. */
  readonly #others: Pick<Witness, 'stranger' | 'peer'>[] = []

  constructor(scene: Scene, answered: string[]) {
    this.#scene = scene
    this.#answered = answered
    this.#turn = CELLS.indexOf(scene.cell)
    this.#greeting = this.#turn % 2 === 0 && scene.cell.moment !== 'lent' ? GREETING : ''
  }

  /** The connection has ended, and its holder has not given the lease up. */
  get #isUnended(): boolean {
    const { ending } = this.#scene.cell
    return ending === 'RST' || ending === 'worker lost'
  }

  /** Somebody still has the ends: a thread that is gone uses nothing. */
  get #isHeld(): boolean {
    return this.#scene.cell.ending !== 'holder dead'
  }

  /** The lease ends on the thread that holds it, and every end is to know at once, whatever still waits on it. */
  get #isHeardAtOnce(): boolean {
    const { cell } = this.#scene
    const isOwn = ['release', 'discard', 'dispose', 'kill', 'ttl', 'pool.close'].includes(cell.ending)
    return isOwn && !isDeaf(cell) && cell.end !== 'attached blocking' && cell.end !== 'REST'
  }

  /** The ends can be used: of a service that has closed nobody answers. */
  get #isUsable(): boolean {
    const { end, ending } = this.#scene.cell
    return this.#isHeld && !(ending === 'pool.close' && end === 'REST')
  }

  async run(): Promise<void> {
    const { cell, ends, peer, wrong } = this.#scene
    if (this.#greeting !== '') await this.#greet()
    await enterMoment(this.#scene)
    const verdict = await endLease(this.#scene)
    peer.resume()
    this.#judge('used', this.#scene.used)
    if (this.#isHeardAtOnce) await this.#use('reader')
    // What waits may hear of the end late, when the channel is another's; so nobody waits for it before that.
    const waited = this.#isHeld ? within(PATIENCE_MS, ends.waited(), 'a call waits for ever') : []
    if (cell.ending !== 'pool.close') await this.#succeed(verdict)
    else if (this.#isUsable) await this.#use('all')
    this.#judge('waited', await waited)
    if (peer.text.includes(INJECTED)) wrong.push('its own peer got what was written after the end')
    if (verdict !== 'reused' && peer.text.includes('stranger:')) wrong.push("its peer got a stranger's bytes")
  }

  async #greet(): Promise<void> {
    const { ends, peer } = this.#scene
    const answered = within(PATIENCE_MS, ends.greet(this.#greeting), 'the greeting was not answered')
    answered.catch(() => 'it is awaited below')
    await peer.received(this.#greeting.length)
    peer.send('A:hello\n')
    await answered
  }

  /** Strangers come after the lease, and its ends are used under their eyes. */
  async #succeed(verdict: string): Promise<void> {
    const { cell, lane, ends, peer, channel, port, wrong } = this.#scene
    const { end, moment, ending } = cell
    if (this.#isUnended && (end === 'attached' || end === 'attached blocking')) {
      // The thread keeps the channel from others until it lets go of its lease.
      await within(PATIENCE_MS, ends.waited(), 'a call waits for ever')
      await this.#use('streams')
      await ends.end('discard')
    }
    if (moment === 'idle' && ending === 'release' && verdict !== 'reused')
      wrong.push(`its release was ${verdict}, and so nobody came after it on its connection`)
    if (verdict === 'reused') {
      const same = await lane.stranger('a')
      if (same.port !== port) wrong.push('the next lease of its tenant is on another connection')
      else await this.#meet({ stranger: same, peer, before: this.#greeting })
      peer.destroy()
    }
    await channel.givenBack()
    const stranger = await this.#strangerOnChannel()
    const strangersPeer = await lane.peers.from(stranger.port)
    await this.#meet({ stranger, peer: strangersPeer, before: '' })
    strangersPeer.destroy()
    await this.#settle()
  }

  /** The channel that came back last is the next that is given; another may have come back after the lease's. */
  async #strangerOnChannel(): Promise<Stranger> {
    const { lane, channel } = this.#scene
    for (let others = 0; others < OTHERS_MAX; others++) {
      const stranger = await lane.stranger('b')
      if (lane.log.last.number === channel.number) return stranger
      const peer = await lane.peers.from(stranger.port)
      this.#others.push({ stranger, peer })
    }
    throw new Error(`no stranger got channel ${channel.number}`)
  }

  /** Three rounds of the stranger with its peer, and the ended lease's ends used between them. */
  async #meet({ stranger, peer, before }: Witness): Promise<void> {
    const { cell, ends, wrong } = this.#scene
    const standsStill = this.#isUnended && !cell.end.startsWith('attached')
    // Before the stranger's first byte all counters may be where the ended lease left them.
    await this.#useUnseen(stranger, standsStill ? 'streams' : 'all')
    await exchangeLines(stranger, peer, 'stranger:0', wrong)
    if (standsStill) await within(PATIENCE_MS, ends.end('discard'), 'the lease could not be given up')
    await exchangeLines(stranger, peer, 'stranger:1', wrong)
    await this.#useUnseen(stranger, 'all')
    await exchangeLines(stranger, peer, 'stranger:2', wrong)
    const released = await within(PATIENCE_MS, stranger.release(), 'the stranger is not released')
    if (released !== 'reused, clean') wrong.push(`the stranger's release was ${released}`)
    if (peer.text !== `${before}stranger:0\nstranger:1\nstranger:2\n`)
      wrong.push(`the stranger's peer got ${shown(peer.text)}`)
  }

  /** Uses the ends while the stranger does nothing, so that whatever moves was moved by them. */
  async #useUnseen(stranger: Stranger, what: Used): Promise<void> {
    if (!this.#isUsable) return
    const { cell, lane, gate, wrong } = this.#scene
    const channel = lane.log.last
    await holds('the stranger is quiet', () => stranger.isQuiet)
    const words = JSON.stringify(channel.words())
    if (isDeaf(cell)) gate.open()
    await this.#use(what)
    const after = JSON.stringify(channel.words())
    if (after !== words) wrong.push(`words of the channel moved: ${words} to ${after}`)
    // What was put into the ring goes out in the next turn, unless the stranger's own bytes cover it before.
    await sleep(1)
  }

  /** Uses what is left of the lease, something else first each time. */
  async #use(what: Used): Promise<void> {
    const using = this.#scene.ends.use(this.#turn++, what)
    this.#judge('used', await within(USE_MS, using, 'a call on an ended lease waits for ever'))
  }

  async #settle(): Promise<void> {
    const { pool, log } = this.#scene.lane
    for (const { stranger, peer } of this.#others) {
      await stranger.release()
      peer.destroy()
    }
    await holds('nothing is left in the pool', () => {
      const { leases, waiters, connections } = poolCounts(pool)
      return leases + waiters + connections + log.out === 0
    })
    const busy = pool.targets().filter(({ connections }) => {
      const { max: _max, min: _min, ...counts } = connections
      return Object.values(counts).some(count => count > 0)
    })
    if (busy.length > 0) this.#scene.wrong.push(`slots are taken: ${JSON.stringify(busy)}`)
  }

  #judge(phase: Phase, outcomes: readonly Outcome[]): void {
    const { cell, wrong } = this.#scene
    for (const outcome of outcomes) {
      const strange = strangeOf(cell, outcome)
      if (strange !== null && ++this.#strange <= STRANGE_MAX) wrong.push(strange)
      const fault = wrongOf(cell, phase, outcome)
      if (fault !== null && !this.#answered.includes(fault)) this.#answered.push(fault)
    }
  }
}
