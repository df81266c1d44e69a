/** What one cell of the fence is played with, once the lease is there that is to end. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Gate } from '../fixtures/threads/fence-borrower.ts'
import type { Cell } from './fence-cells.ts'
import type { TakenChannel } from './fence-channels.ts'
import type { Ends } from './fence-ends.ts'
import type { Lane, Stranger } from './fence-lane.ts'
import type { Outcome } from './fence-outcome.ts'
import { type FencePeer, PATIENCE_MS } from './fence-peers.ts'
import { within } from './service-process.ts'

export type Scene = {
  readonly cell: Cell
  readonly lane: Lane
  /** The ends of the lease, its connection's port at this end, the peer, and the channel between. */
  readonly ends: Ends
  readonly port: number
  readonly peer: FencePeer
  readonly channel: TakenChannel
  /** Holds a borrower, or a holder's thread, that is to wait. */
  readonly gate: Gate
  /** What the ends were good for in the moment of the ending. */
  readonly used: Outcome[]
  /** What has gone wrong so far. */
  readonly wrong: string[]
}

/** A line of the stranger to its peer, and one back. */
export async function exchangeLines(
  stranger: Stranger,
  peer: FencePeer,
  line: string,
  wrong: string[],
): Promise<void> {
  const wanted = peer.count + line.length + 1
  await stranger.say(`${line}\n`)
  await peer.received(wanted).catch((error: Error) => {
    throw new Error(`${error.message}; it got ${shown(peer.text)}`)
  })
  peer.send(`B:${line}\n`)
  const heard = await within(PATIENCE_MS, stranger.hear(), 'the stranger heard nothing')
  if (heard !== `B:${line}\n`) wrong.push(`the stranger heard ${shown(heard)}`)
}

export function shown(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}… (${text.length} bytes)` : text)
}

/** For what no event announces: the words of a channel, what is left in a pool. */
export async function holds(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`it never came that ${what}`)
    await sleep(1)
  }
}

/** Resolves when the value has not changed for some turns: what can be sent is sent. */
export async function steady(value: () => number): Promise<void> {
  let last = value()
  for (let same = 0; same < 8; ) {
    await sleep(2)
    same = value() === last ? same + 1 : 0
    last = value()
  }
}
