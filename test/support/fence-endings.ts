/** Ends a lease in one of the ways of the fence's alphabet. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cell } from './fence-cells.ts'
import type { OwnEnding } from './fence-ends.ts'
import { loseWorker } from './fence-lane.ts'
import { loanOf } from './fence-moments.ts'
import { PATIENCE_MS } from './fence-peers.ts'
import { exchangeLines, holds, type Scene, shown } from './fence-scene.ts'
import { AttachedEnds } from './fence-thread.ts'
import { within } from './service-process.ts'

/** Milliseconds in which the pool hears of a socket that is gone. */
const HEARD_MS = 20

/** What a thread hears late of a lease that it has ended itself, when the channel is another's already. */
export function isDeaf({ end, ending }: Cell): boolean {
  return end === 'attached' && (ending === 'discard' || ending === 'dispose' || ending === 'kill')
}

/** Ends the lease, or the connection first; how its release went, where it was released. */
export async function endLease(scene: Scene): Promise<string> {
  const { cell, lane, peer, channel, gate, port } = scene
  const { end, moment, ending } = cell
  switch (ending) {
    case 'release':
    case 'discard':
    case 'dispose':
      return await endBy(scene, ending)
    case 'ttl':
      return await expire(scene)
    case 'kill':
      if (end !== 'REST') return await endBy(scene, 'kill')
      await lane.kill(port)
      return ''
    case 'token revoked':
      await lane.kill(port)
      return ''
    case 'pool.close':
      await within(PATIENCE_MS, lane.closePool(), 'the pool did not close')
      return ''
    case 'attached close':
      await lane.thread?.ask({ ask: 'close' })
      return ''
    case 'holder dead':
      await lane.thread?.exit(end === 'attached blocking' && moment !== 'idle' ? 'terminate' : 'exit')
      return ''
    case 'FIN':
      peer.end()
      await holds('the FIN was seen', () => channel.hasEnded)
      return await endBy(scene, 'release')
    case 'RST':
      peer.reset()
      await holds('the RST was seen', () => channel.hasEnded)
      return ''
    case 'worker lost':
      await loseWorker(lane.pool)
      return ''
    case 'borrower returned':
      return await endBeforeReturn(scene)
    case 'borrower hung':
      await within(PATIENCE_MS, scene.ends.waited(), 'the hung borrower was not ended')
      return ''
    case 'borrower dead':
      gate.open()
      // Before its death is heard of the lease has not ended, and its peer may take what waits.
      await within(PATIENCE_MS, scene.ends.waited(), 'the death of the borrower was not heard of')
      return ''
    default:
      return ending satisfies never
  }
}

async function endBy({ cell, ends, peer, gate, wrong }: Scene, how: OwnEnding): Promise<string> {
  if (isDeaf(cell) && ends instanceof AttachedEnds) {
    ends.endDeaf(how, gate.memory).catch(error => wrong.push(`${how} failed: ${error}`))
    return ''
  }
  const ended = within(PATIENCE_MS, ends.end(how), `${how} did not end the lease`)
  // What was written before a release is still sent, for as long as the peer takes it.
  if (how === 'release') peer.resume()
  return await ended
}

/** The pool ends the lease; a thread that holds it may not have heard of that when it uses its ends next. */
async function expire(scene: Scene): Promise<string> {
  const { lane, ends, gate, used } = scene
  if (!(ends instanceof AttachedEnds)) return await endBy(scene, 'ttl')
  const using = ends.expireDeaf(gate.memory)
  using.catch(() => 'it is awaited below')
  await holds('the lease has expired', () => lane.pool.stats().leases === 0)
  gate.open()
  used.push(...(await using))
  return ''
}

/** The lease ends first, and its borrower comes back afterwards; what it reads then is nobody's. */
async function endBeforeReturn(scene: Scene): Promise<string> {
  const { cell, lane, peer, channel, gate, wrong } = scene
  // A parse has the whole message in the moment in which its lease ends.
  const isParse = loanOf(cell, gate.memory).do === 'parse'
  if (isParse) peer.send(',2]\n')
  const verdict = await endBy(scene, 'discard')
  if (isParse) return verdict
  peer.resume()
  await holds('the socket is gone', () => channel.isClosed)
  // The pool has heard of it by then, and would give the channel to the next.
  await sleep(HEARD_MS)
  if (channel.isBack) wrong.push('the channel was given back while it was lent')
  const early = await lane.stranger('b')
  if (lane.log.last.number === channel.number) wrong.push("the channel was another lease's while it was lent")
  const earlyPeer = await lane.peers.from(early.port)
  await exchangeLines(early, earlyPeer, 'stranger:early', wrong)
  gate.open()
  await holds('the borrower has tried', () => gate.reported !== '')
  if (/served (B|stranger):/.test(gate.reported)) wrong.push(`the borrower read ${shown(gate.reported)}`)
  await exchangeLines(early, earlyPeer, 'stranger:late', wrong)
  const released = await early.release()
  if (released !== 'reused, clean') wrong.push(`the early stranger's release was ${released}`)
  if (earlyPeer.text !== 'stranger:early\nstranger:late\n')
    wrong.push(`the early stranger's peer got ${shown(earlyPeer.text)}`)
  earlyPeer.destroy()
  return verdict
}
