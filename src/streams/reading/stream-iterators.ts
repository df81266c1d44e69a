/** The ways to go through a stream to its end. */
import { LIMITS } from '../../base/limits.ts'
import { NO_BOUNDS, ReadBounds, type ReadOptions } from './read-options.ts'

export type LineReader = { readLine(options: ReadOptions): Promise<Buffer> }
export type ChunkReader = { read(n: number, options: ReadOptions): Promise<Buffer> }

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
  options: ReadOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const bounds = ReadBounds.of(options)
  for (;;) {
    const chunk = await reader.read(max, bounds)
    if (chunk.length === 0) return
    yield chunk
  }
}

/**
 * The lines that are already there, as arrays: one wait for many lines. `hasLine` says whether a whole line is there. A
 * batch has at least one line.
 */
export async function* lineBatches(
  reader: LineReader,
  hasLine: () => boolean,
  options: ReadOptions,
): AsyncGenerator<Buffer[], void, undefined> {
  const bounds = ReadBounds.of(options)
  for (;;) {
    const batch = [await reader.readLine(bounds)]
    if (batch[0]?.length === 0) return
    const failure = await fill(batch, reader, hasLine, bounds)
    yield batch
    if (failure) throw failure
  }
}

/** Adds the lines that are there; the error that ended it, which must not take the lines before it along. */
async function fill(
  batch: Buffer[],
  reader: LineReader,
  hasLine: () => boolean,
  options: ReadOptions,
): Promise<Error | null> {
  try {
    while (batch.length < LIMITS.lineBatchMax && hasLine()) batch.push(await reader.readLine(options))
    return null
  } catch (error) {
    return error as Error
  }
}
