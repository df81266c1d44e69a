/** An I/O worker that a test can make fail at a moment of its choice. */
import { BroadcastChannel } from 'node:worker_threads'
import { onTestFinished } from 'vitest'
import type { Trap, TrapSet } from '../fixtures/threads/trapped-io-worker.ts'

/** To be given to a pool as its `ioWorkerFile`. */
export const TRAPPED_IO_WORKER: URL = new URL('../fixtures/threads/trapped-io-worker.ts', import.meta.url)

const TRAP_CHANNEL = 'sockpool-trapped-io-worker'

/** Sets a trap in one worker; resolves when it is set. */
export async function setTrap(trap: Trap): Promise<void> {
  const channel = new BroadcastChannel(TRAP_CHANNEL)
  onTestFinished(() => channel.close())
  const isSet = new Promise<void>(resolve => {
    channel.onmessage = message => {
      const { data } = message as { data: Trap | TrapSet }
      if ('isSet' in data && data.isSet === trap.worker) resolve()
    }
  })
  channel.postMessage(trap)
  await isSet
}
