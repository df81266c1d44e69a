/** Python's asyncio as a contender: a program that is asked by lines. */

import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { bytesOf } from '../byte-tally.ts'
import { LINE_BYTES, LINES_SHARE } from '../line-bytes.ts'
import { beginSpending } from '../meters/spent.ts'
import type { Hosted } from './hosted.ts'
import { findTool, Tool } from './tool.ts'

/** Null where Python is not installed. */
export function startAsyncio(port: number): Hosted | null {
  const program = findTool('python3')
  if (program === null) return null
  const script = fileURLToPath(new URL('../rivals/asyncio-lines.py', import.meta.url))
  const tool = new Tool(program, [script, String(port)])
  const answers = createInterface({ input: tool.process.stdout as Readable })
  return {
    name: 'asyncio',
    run: async ({ share }) => {
      const lines = Math.floor((bytesOf({ forMs: 0, share }) * LINES_SHARE) / LINE_BYTES)
      const spending = beginSpending({ pids: [tool.pid] })
      const answer = once(answers, 'line') as Promise<[string]>
      tool.process.stdin?.write(`${lines}\n`)
      const [count, us] = (await answer)[0].split(' ').map(Number) as [number, number]
      return { rate: (count * 1e6) / us, ...spending(count) }
    },
    close: () => tool.close(),
  }
}
