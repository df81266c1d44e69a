/** A transport of a reader over memory that tells what it was told. */
import type { ReadTransport } from '../../src/streams/reading/memory-source.ts'

export function recordingTransport(): ReadTransport & { readonly calls: readonly string[] } {
  const calls: string[] = []
  return {
    calls,
    pauseReading: () => void calls.push('pause'),
    resumeReading: () => void calls.push('resume'),
  }
}
