/** Plays cells on lanes: several lanes side by side, on each one cell after another. */
import { type Cell, nameOf } from './fence-cells.ts'
import type { Lane } from './fence-lane.ts'
import { type Faults, playCell } from './fence-play.ts'

export type Played = Faults & { readonly cell: Cell; readonly ms: number }

/** Cells that a lane does not outlive, or that leave an I/O worker which waits ever longer to be started again. */
function endsLane({ ending }: Cell): boolean {
  return ending === 'pool.close' || ending === 'worker lost'
}

export async function playCells(
  cells: readonly Cell[],
  makeLane: () => Promise<Lane>,
  lanesMax: number,
): Promise<readonly Played[]> {
  const played: Played[] = []
  const waiting = [...cells]
  const runLane = async (): Promise<void> => {
    let lane: Lane | null = null
    for (let cell = waiting.shift(); cell !== undefined; cell = waiting.shift()) {
      const startedMs = performance.now()
      lane ??= await makeLane()
      const { moved, answered } = await playCell(cell, lane)
      const left: readonly string[] = endsLane(cell) || moved.length > 0 ? await lane.close() : []
      if (endsLane(cell) || moved.length > 0) lane = null
      played.push({ cell, moved: [...moved, ...left], answered, ms: performance.now() - startedMs })
    }
    const last = played.at(-1)
    if (lane === null || last === undefined) return
    const moved = (await lane.close()).map(text => `at the end of its lane: ${text}`)
    played.push({ cell: last.cell, moved, answered: [], ms: 0 })
  }
  await Promise.all(Array.from({ length: lanesMax }, runLane))
  return played
}

/** A line for each fault, with the cell that it is of. */
export function faultsOf(played: readonly Played[]): Faults {
  const lines = (of: (one: Played) => readonly string[]): readonly string[] =>
    played.flatMap(one => of(one).map(text => `${nameOf(one.cell)}: ${text}`))
  return { moved: lines(one => one.moved), answered: lines(one => one.answered) }
}
