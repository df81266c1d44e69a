/** How a reader looks in a log: what is buffered, how it ended, who waits. Source: asyncio.StreamReader.__repr__. */
import { type InspectOptions, inspect } from 'node:util'
import { END_LIMITS } from '../../base/end-limits.ts'
import { type ByteSource, isFinal } from '../byte-source.ts'
import type { MemorySource } from './memory-source.ts'

/** `waiter`: the call that waits. `memory`: the source, where the reader is over memory. */
export function readerText(
  source: ByteSource,
  limit: number,
  waiter: string | null,
  memory: MemorySource | null,
  options: InspectOptions,
): string {
  const { end, available } = source
  const transport = memory?.transport
  const facts = [
    available > 0 && `${available} bytes`,
    isFinal(end) && 'eof',
    limit !== END_LIMITS.readerLimitBytes && `limit=${limit}`,
    waiter !== null && `waiter=<${waiter} pending>`,
    end?.kind === 'failed' && `exception=${end.error.name}(${inspect(end.error.message)})`,
    transport && `transport=${inspect(transport, { ...options, depth: -1 })}`,
    memory?.isPaused && 'paused',
  ]
  return `<${['StreamReader', ...facts.filter(Boolean)].join(' ')}>`
}
