/**
 * The parse worker's file as a process of its own: it reads its tasks from the pipe to the pool's process, one after
 * another and blocking, performs them and writes the answers. Nothing else happens here, so no event loop is needed.
 */
import { readSync, writeSync } from 'node:fs'
import { deserialize, serialize } from 'node:v8'
import { isMainThread } from 'node:worker_threads'
import { invariant } from '../../src/base/errors.ts'
import type { Parcel } from '../../src/base/value-parcel.ts'
import {
  CHILD_MARK,
  CHILD_PIPE,
  FRAME_HEAD_BYTES,
  type FrameKind,
  frameHead,
  readFrameHead,
} from '../../src/parse/formats/child-frames.ts'
import type { ApartTask, TaskOutcome } from '../../src/parse/formats/parse-task.ts'
import { failure, performTask } from './perform-task.ts'

/** Signals that a terminal or a supervisor sends to all processes: what becomes of this one is its pool's to say. */
const LEFT_TO_POOL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** Whether this file was started as a process by a pool. */
export function isParseProcess(): boolean {
  return isMainThread && process.argv[2] === CHILD_MARK
}

/** Serves the pool until the pipe ends. Errors: those of the pipe. */
export async function servePool(): Promise<void> {
  for (const signal of LEFT_TO_POOL) process.on(signal, () => {})
  send('ready', Buffer.alloc(0))
  for (;;) {
    const ask = receive('ask')
    const bytes = ask && receive('input')
    if (!ask || !bytes) return
    const { outcome } = await performTask({ ...(deserialize(ask) as ApartTask), bytes }, noLoan)
    answer(outcome)
    // Nothing looks at the input any more, and this process may rest for a while.
    if (bytes.length > 0) bytes.buffer.transfer(0)
  }
}

function noLoan(): never {
  throw new Error('no reader is lent to a process')
}

function answer(outcome: TaskOutcome): void {
  if (!outcome.ok) return send('outcome', serialized(outcome))
  const value = outcome.value as Uint8Array | Parcel
  if (value instanceof Uint8Array) {
    send('part', value)
    return send('outcome', serialize({ ok: true, value: null }))
  }
  if (value.kind === 'whole') return send('outcome', serialized(outcome))
  for (const piece of value.pieces) send('part', piece)
  send('outcome', serialize({ ok: true, value: { kind: 'pieces', pieces: [] } }))
}

/** What a module gives or throws may be cloned between threads, and yet not leave its process. */
function serialized(outcome: TaskOutcome): Buffer {
  try {
    return serialize(outcome)
  } catch (error) {
    return serialize(failure(error))
  }
}

function send(kind: FrameKind, body: Uint8Array): void {
  writeAll(frameHead(kind, body.length))
  writeAll(body)
}

/** The body of the next frame, which must be of this kind; null where the pipe has ended. */
function receive(expected: FrameKind): Buffer<ArrayBuffer> | null {
  const bytes = readAll(Buffer.alloc(FRAME_HEAD_BYTES))
  if (bytes === null) return null
  const { kind, length } = readFrameHead(bytes)
  invariant(kind === expected, () => `the pool sends ${kind} where ${expected} is due`)
  // Not memory that can be given back: code that looks at each byte is several times slower on that.
  return readAll(Buffer.allocUnsafeSlow(length))
}

function writeAll(bytes: Uint8Array): void {
  let count = 0
  while (count < bytes.length) count += writeSync(CHILD_PIPE, bytes, count)
}

function readAll(target: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> | null {
  let count = 0
  while (count < target.length) {
    const read = readSync(CHILD_PIPE, target, count, target.length - count, null)
    if (read === 0) return null
    count += read
  }
  return target
}
