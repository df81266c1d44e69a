/** The ways to go through a stream to its end. */
import { END_LIMITS } from '../../base/end-limits.ts'
import type { NearLines } from './near-lines.ts'
import { type ChunkOptions, NO_BOUNDS, ReadBounds, type ReadOptions } from './read-options.ts'

export type LineReader = { readonly limit: number; readLine(options: ReadOptions): Promise<Buffer> }
export type ChunkReader = {
  read(n: number, options: ReadOptions): Promise<Buffer>
  readInto(target: Uint8Array, options: ReadOptions): Promise<number>
}

/** Line after line; an unterminated last one is one. */
export async function* lines(reader: LineReader): AsyncGenerator<Buffer, void, undefined> {
  for (;;) {
    const line = await reader.readLine(NO_BOUNDS)
    if (line.length === 0) return
    yield line
  }
}

/** The bytes as they come, at most `max` of them at a time. */
export async function* chunks(
  reader: ChunkReader,
  max: number,
  options: ChunkOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const bounds = ReadBounds.of(options)
  if (bounds.reuse) return yield* reusedChunks(reader, Math.min(max, END_LIMITS.kernelReadBytes), bounds)
  for (;;) {
    const chunk = await reader.read(max, bounds)
    if (chunk.length === 0) return
    yield chunk
  }
}

async function* reusedChunks(
  reader: ChunkReader,
  max: number,
  bounds: ReadBounds,
): AsyncGenerator<Buffer, void, undefined> {
  const target = Buffer.allocUnsafeSlow(max)
  for (;;) {
    const count = await reader.readInto(target, bounds)
    if (count === 0) return
    yield target.subarray(0, count)
  }
}

/** The lines that are already there, as arrays: one wait for many lines. A batch has at least one line. */
export async function* lineBatches(
  reader: LineReader,
  near: NearLines,
  options: ReadOptions,
): AsyncGenerator<Buffer[], void, undefined> {
  const bounds = ReadBounds.of(options)
  for (;;) {
    const batch = [await reader.readLine(bounds)]
    if (batch[0]?.length === 0) return
    const failure = await fill(batch, reader, near, bounds)
    yield batch
    if (failure) throw failure
  }
}

/** Adds the lines that are there; the error that ended it, which must not take the lines before it along. */
async function fill(
  batch: Buffer[],
  reader: LineReader,
  near: NearLines,
  bounds: ReadBounds,
): Promise<Error | null> {
  try {
    while (batch.length < END_LIMITS.lineBatchMax) {
      const lines = near.take(bounds.limit ?? reader.limit, END_LIMITS.lineBatchMax - batch.length)
      if (lines.length > 0) batch.push(...lines)
      else if (near.hasLine) batch.push(await reader.readLine(bounds))
      else return null
    }
    return null
  } catch (error) {
    return error as Error
  }
}
