/** One dialog without a connection: what it sends is kept, and what it gets is the test's to give. */

import { normaliseTarget } from '../../src/config/target.ts'
import type { TargetDialog } from '../../src/config/target-dialog.ts'
import type { DialogInput } from '../../src/config/target-input.ts'
import type { Frame } from '../../src/frames/frame.ts'
import { dialogOf } from '../../src/pool/target/dialog-of.ts'
import type { TlsClient } from '../../src/threads/protocol.ts'
import { type DialogLine, DialogRun } from '../../workers/io/dialog/dialog-run.ts'
import { lineFrame } from './line-frame.ts'

export type DialogRigOptions = {
  readonly timeoutMs?: number | undefined
  readonly line?: Partial<DialogLine> | undefined
  readonly frame?: Frame | undefined
}

export class DialogRig {
  readonly run: DialogRun
  readonly secured: TlsClient[] = []
  #sent = ''

  constructor(steps: DialogInput, options: DialogRigOptions = {}) {
    const { timeoutMs = 5_000, frame = lineFrame } = options
    const line: DialogLine = {
      send: bytes => {
        this.#sent += Buffer.from(bytes).toString('latin1')
      },
      settle: async () => {},
      startTls: async tls => void this.secured.push(tls),
      ...options.line,
    }
    const { onConnect } = normaliseTarget({ host: 'a', port: 1, frame: 'resp', onConnect: steps })
    this.run = new DialogRun(dialogOf(onConnect as TargetDialog), {
      line,
      frame: async () => frame,
      timeoutMs,
    })
  }

  get sent(): string {
    return this.#sent
  }

  get leftover(): string {
    return Buffer.concat([...this.run.leftover]).toString('latin1')
  }

  /** Gives the pieces, one after the other, each when the dialog has done what the last one let it do. */
  async receive(...pieces: readonly (string | Uint8Array)[]): Promise<void> {
    for (const piece of pieces) {
      await turn()
      this.run.received(Buffer.from(piece as string))
    }
    await turn()
  }
}

/** All that is due now has happened. */
function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
