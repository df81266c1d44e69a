/** Brings a lease into a moment of the fence's alphabet. */
import type { Cell } from './fence-cells.ts'
import { type Deed, LONG_MS } from './fence-ends.ts'
import { PATIENCE_MS } from './fence-peers.ts'
import { holds, type Scene, steady } from './fence-scene.ts'
import { within } from './service-process.ts'

/** Milliseconds of a borrower's time-out that is to pass, once it runs. */
const HANG_MS = 200
/** Bytes: more than ring and kernel take of a peer that does not read. */
const FLOOD_BYTES = 12_582_912

const UPLOAD: Deed = { do: 'upload', line: 'a:upload\n' }

export async function enterMoment(scene: Scene): Promise<void> {
  const { cell, ends, peer, channel, gate } = scene
  switch (cell.moment) {
    case 'idle':
      return
    case 'reading':
      if (cell.end === 'REST') await begin(scene, UPLOAD)
      await ends.begin(isLoan(cell) ? loanOf(cell, gate.memory) : { do: 'read' })
      return await holds('a call waits for bytes', () => channel.awaitsBytes)
    case 'overfull':
      peer.pause()
      await ends.begin({ do: 'flood', head: 'a:flood', bytes: FLOOD_BYTES, waits: cell.ending !== 'ttl' })
      await steady(() => channel.put)
      if (isLoan(cell)) await lend(scene)
      return
    case 'lent':
      if (cell.end === 'REST') await begin(scene, UPLOAD)
      return await lend(scene)
    case 'uploading':
      return await begin(scene, UPLOAD)
    case 'upgrading':
      return await begin(scene, { do: 'startTls' })
    default:
      cell.moment satisfies never
  }
}

/** What a borrower of this cell is lent for. */
export function loanOf({ end, ending }: Cell, gate: SharedArrayBuffer): Deed {
  const run = { do: 'run', gate, timeoutMs: LONG_MS } as const
  const runs = end === 'lent to run' || (end === 'attached' && ending.startsWith('borrower'))
  if (!runs) return { do: 'parse' }
  if (ending === 'borrower returned') return { ...run, part: 'gate' }
  if (ending === 'borrower hung') return { ...run, part: 'hang', timeoutMs: HANG_MS }
  return { ...run, part: ending === 'borrower dead' ? 'die' : 'block' }
}

function isLoan({ end }: Cell): boolean {
  return end === 'lent to parse' || end === 'lent to run'
}

/** Begins a call whose first bytes the peer gets. */
async function begin({ ends, peer }: Scene, deed: Deed): Promise<void> {
  const before = peer.count
  await ends.begin(deed)
  await peer.received(before + 1)
}

async function lend({ cell, ends, peer, channel, gate }: Scene): Promise<void> {
  const loan = loanOf(cell, gate.memory)
  peer.send(loan.do === 'parse' ? '[1' : 'A')
  await ends.begin(loan)
  if (loan.do === 'run') await within(PATIENCE_MS, gate.arrived(), 'the borrower does not run')
  const blocks = loan.do === 'parse' || (loan.do === 'run' && loan.part === 'block')
  if (blocks) await holds('the borrower blocks', () => channel.isBlockedOn)
}
