/** Where cases run: a transport, and the thread that has it. */
import type { TransportName } from './exemptions.ts'
import type { Case, Transport } from './transport.ts'

export interface Surface {
  readonly name: TransportName
  /** Starts what all cases share; nothing where there is no such thing. */
  start?(): Promise<void>
  /** Runs one case and undoes what it opened; rejects with its failure. One at a time. */
  run(entry: Case): Promise<void>
  stop?(): Promise<void>
}

/** What is to be undone when the present case of this thread is over. */
const undos: Array<() => unknown> = []

/** Undone last first. */
export function onCaseFinished(undo: () => unknown): void {
  undos.push(undo)
}

/** Runs a case in this thread. */
export async function runCase(entry: Case, transport: Transport): Promise<void> {
  try {
    await entry.run(transport)
  } finally {
    for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) await undo()
  }
}

/** A surface in this thread that needs no start. */
export function surfaceHere(name: TransportName, transport: Transport): Surface {
  return { name, run: entry => runCase(entry, transport) }
}
