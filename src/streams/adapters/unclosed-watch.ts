/**
 * Watches for streams that their program has lost without closing them. A program has a reader and a writer of its
 * own, which nothing else refers to: once it can reach neither, nobody can close the connection any more.
 *
 *   program ─► its reader, its writer ─► grip (watched)       pool ─► the reader and writer of the same stream
 *
 * A call that waits keeps what it was called on, and with it the grip. Source: asyncio.StreamWriter.__del__.
 */
import { inspect } from 'node:util'
import { SockpoolError } from '../../base/errors.ts'
import { LossWatch } from '../../base/loss-watch.ts'
import { StreamReader } from '../reading/stream-reader.ts'
import { StreamWriter } from '../writing/stream-writer.ts'

type Ends = { readonly reader: StreamReader; readonly writer: StreamWriter }

const watch = new LossWatch<Ends>(closeUnclosed)

/**
 * A reader and a writer of the same stream for a program to own. Where both are collected and the writer was not
 * closed, a ResourceWarning tells, and it is closed after all that was written.
 */
export function ownEnds({ reader, writer }: Ends): [reader: StreamReader, writer: StreamWriter] {
  const grip = {}
  const watched = watch.watch(grip, { reader, writer })
  const ended = (): void => {
    if (writer.closeCalled || !isLoopClosed(reader)) watch.forget(watched)
  }
  void writer.waitClosed().then(ended, ended)
  return [new StreamReader({}, reader, grip), new StreamWriter(writer, {}, grip)]
}

function closeUnclosed({ reader, writer }: Ends): void {
  if (writer.closeCalled) return
  const text = `unclosed ${inspect(writer)}`
  warnOfUnclosed(isLoopClosed(reader) ? `${text}: loop is closed` : text)
  writer.close()
}

/** An event loop carried the stream, that of its I/O worker, and ended before the stream was closed. */
function isLoopClosed(reader: StreamReader): boolean {
  const broken = reader.exception()
  return broken instanceof SockpoolError && broken.code === 'WORKER_LOST'
}

/** A process warning, as Python's ResourceWarning. */
export function warnOfUnclosed(text: string): void {
  process.emitWarning(text, { type: 'ResourceWarning', code: 'SOCKPOOL_UNCLOSED' })
}
