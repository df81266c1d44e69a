/**
 * A process that outlives a play by an instant: whatever way that one ends, this one ends what it had started, frozen or not, and
 * takes its folder away.
 */
import { rmSync } from 'node:fs'

export type GuardWord =
  | { readonly kind: 'watch' | 'forget'; readonly pid: number }
  | { readonly kind: 'folder'; readonly path: string }

const pids = new Set<number>()
const folders = new Set<string>()

process.on('message', (word: GuardWord) => {
  switch (word.kind) {
    case 'watch':
      return void pids.add(word.pid)
    case 'forget':
      return void pids.delete(word.pid)
    case 'folder':
      return void folders.add(word.path)
    default:
      word satisfies never
  }
})

process.on('disconnect', () => {
  for (const pid of pids) end(pid)
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  process.exit(0)
})

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    // It has ended by itself, and nobody was there any more to say so.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
