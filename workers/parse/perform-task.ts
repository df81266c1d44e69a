/**
 * Performs one task in a parse worker. Between tasks the worker's event loop stands still in `Atomics.wait`, so
 * nothing here may leave a socket, timer or listener behind. Whatever goes wrong becomes part of the reply, and a lent
 * reader is given back in success and failure alike.
 */
import { threadId } from 'node:worker_threads'
import { SockpoolError } from '../../src/base/errors.ts'
import type { PartResult } from '../../src/base/input-part.ts'
import { fixedMemory, freeMemory } from '../../src/base/large-memory.ts'
import type { MessageBatch } from '../../src/base/value-batch.ts'
import { packValue } from '../../src/base/value-parcel.ts'
import { LoanWords } from '../../src/channel/loan-words.ts'
import { ParseProgress } from '../../src/channel/parse-progress.ts'
import { decodeAll, writeAll } from '../../src/parse/formats/decode-all.ts'
import { decompress } from '../../src/parse/formats/decompress.ts'
import type { Cutting } from '../../src/parse/formats/format.ts'
import { messageBatch } from '../../src/parse/formats/message-batch.ts'
import {
  type LoanTicket,
  type MessageAsk,
  type ParseReply,
  type ParseTask,
  sharedNow,
  type TaskOutcome,
} from '../../src/parse/formats/parse-task.ts'
import { readMessage } from '../../src/parse/formats/read-message.ts'
import { configureInput, configureMessages, configureParts } from '../../src/parse/formats/registry.ts'
import { TextSink } from '../../src/parse/formats/text-sink.ts'
import { writePart } from '../../src/parse/formats/write-part.ts'
import { BlockingReader } from '../../src/streams/blocking/blocking-reader.ts'
import type { BlockingSource } from '../../src/streams/byte-source.ts'
import type { LentSource, ReturnedSource } from '../../src/streams/channel-ends/lent-source.ts'

/** A lent reader on this thread; `giveBack` lets go of the channel for ever, also where it throws. */
export interface Borrowed extends BlockingSource {
  giveBack(): ReturnedSource
}

/** Attaches a lent reader to this thread. */
export type Borrow = (lent: LentSource, loan: LoanWords) => Borrowed

/** Never rejects. */
export async function performTask(task: ParseTask, borrow: Borrow): Promise<ParseReply> {
  switch (task.kind) {
    case 'bytes':
    case 'message': {
      const input = fixedMemory(task.bytes)
      const outcome = await attempt(async () =>
        task.kind === 'bytes' ? answerTo(task, input) : (await messageForm(task)).decode(input),
      )
      // Only what is written out has nothing of the input in it.
      if (task.form.kind === 'text') freeMemory(input.buffer as ArrayBuffer)
      return { outcome, returned: null }
    }
    case 'batch':
      return { outcome: await attempt(() => batchOf(task)), returned: null }
    case 'part':
      return { outcome: await attempt(() => partOf(task)), returned: null }
    case 'channel':
      return onLoan(task.ticket, borrow, async (source, deadline) =>
        readMessage(source, await messageForm(task), task.turn, deadline),
      )
    case 'run':
      return { outcome: await attempt(() => call(task.module, task.argument)), returned: null }
    case 'runOn':
      return onLoan(task.ticket, borrow, (source, deadline) =>
        call(
          task.module,
          new BlockingReader(source, {
            deadline,
            allowedMs: task.ticket.allowedMs,
            onReset: task.ticket.lent.onReset,
          }),
          task.argument,
        ),
      )
    default:
      return task satisfies never
  }
}

/** A Parcel of all values, or their text. */
async function answerTo(
  { format, options, form, bytesMax, progress }: Extract<ParseTask, { kind: 'bytes' }>,
  bytes: Buffer,
): Promise<unknown> {
  const asked = configureInput(format, options)
  const decoder = await asked.format.open()
  const input = asked.coding === null ? bytes : decompress(asked.coding, bytes, bytesMax)
  const words = new ParseProgress(progress)
  const note = (done: number, values: number): void => words.note(done, values)
  if (form.kind === 'text') return writeAll(decoder, input, form.wrap, note)
  return packValue(decodeAll(decoder, input, note))
}

async function partOf({
  format,
  options,
  part,
  bytesMax,
}: Extract<ParseTask, { kind: 'part' }>): Promise<PartResult> {
  return writePart(await configureParts(format, options).open(), part, bytesMax)
}

async function batchOf({
  format,
  options,
  bytes,
}: Extract<ParseTask, { kind: 'batch' }>): Promise<MessageBatch> {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return messageBatch(await configureMessages(format, options).open(), input)
}

/** How one message is cut out and becomes a Parcel of its value, or its text. */
async function messageForm({
  format,
  options,
  form,
}: MessageAsk): Promise<Cutting & { decode: (message: Buffer) => unknown }> {
  const decoder = await configureMessages(format, options).open()
  if (form.kind === 'parcel')
    return { cutter: decoder.cutter, decode: message => packValue(decoder.decode(message)) }
  const { before, end, after } = form.wrap
  const decode = (message: Buffer): Uint8Array => {
    const sink = new TextSink(message.length + before.length + after.length)
    sink.text(before)
    decoder.text.write(message, sink)
    sink.text(end + after)
    return sink.finish()
  }
  return { cutter: decoder.text.cutter, decode }
}

async function onLoan(
  { lent, words, deadline }: LoanTicket,
  borrow: Borrow,
  perform: (source: BlockingSource, deadline: number) => unknown,
): Promise<ParseReply> {
  const loan = LoanWords.of(words)
  if (!loan.begin(threadId))
    return { outcome: failure(new SockpoolError('ABORTED', 'the task was called off')), returned: null }
  const localDeadline = performance.now() + deadline - sharedNow()
  let source: Borrowed | null = null
  const outcome = await attempt(() => {
    source = borrow(lent, loan)
    return perform(source, localDeadline)
  })
  return giveBack(source, outcome)
}

function giveBack(source: Borrowed | null, outcome: TaskOutcome): ParseReply {
  if (source === null) return { outcome, returned: null }
  try {
    return { outcome, returned: source.giveBack() }
  } catch (error) {
    return { outcome: failure(error), returned: null }
  }
}

const POSTED_AS_IS: ReadonlySet<string> = new Set(['undefined', 'boolean', 'number', 'bigint', 'string'])

/** Calls the default function of a user's module. */
async function call(module: string, ...args: readonly unknown[]): Promise<unknown> {
  const { default: entry }: { default?: unknown } = await import(module)
  if (typeof entry !== 'function')
    throw new SockpoolError('INVALID_REQUEST', 'the module has no default function')
  const value: unknown = await entry(...args)
  // A value that cannot be posted would end this thread, and the lent reader with it, so it is tried here.
  return POSTED_AS_IS.has(typeof value) ? value : structuredClone(value)
}

async function attempt(perform: () => unknown): Promise<TaskOutcome> {
  try {
    return { ok: true, value: await perform() }
  } catch (error) {
    return failure(error)
  }
}

/** Plain data that surely can be posted. What a user's module throws may be anything. */
export function failure(error: unknown): TaskOutcome {
  const fields = error instanceof SockpoolError ? cloned(() => error.toJSON()) : undefined
  if (fields) return { ok: false, error: fields }
  const reason = error instanceof Error ? String(error.name) : typeof error
  const adopted = new SockpoolError('PARSE_FAILED', messageOf(error), { reason }).toJSON()
  const cause = cloned(() => error)
  return cause === undefined ? { ok: false, error: adopted } : { ok: false, error: adopted, cause }
}

/** Undefined where it cannot be cloned: then its name and message go along all the same. */
function cloned<T>(value: () => T): T | undefined {
  try {
    return structuredClone(value())
  } catch {
    return undefined
  }
}

function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message) : String(error)
  } catch {
    return 'the module threw a value that has no text'
  }
}
