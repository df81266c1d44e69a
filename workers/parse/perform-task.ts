/**
 * Performs one task in a parse worker. Between tasks the worker's event loop stands still in `Atomics.wait`, so
 * nothing here may leave a socket, timer or listener behind. Whatever goes wrong becomes part of the reply, and a lent
 * reader is given back in success and failure alike.
 */
import { SockpoolError } from '../../src/base/errors.ts'
import { Claim } from '../../src/channel/claim.ts'
import { decodeAll } from '../../src/parse/formats/decode-all.ts'
import { type Loan, type ParseReply, type ParseTask, sharedNow } from '../../src/parse/formats/parse-task.ts'
import { readMessage } from '../../src/parse/formats/read-message.ts'
import { findFormat } from '../../src/parse/formats/registry.ts'
import { BlockingReader } from '../../src/streams/blocking/blocking-reader.ts'
import type { BlockingSource } from '../../src/streams/blocking/blocking-source.ts'
import type { LentSource, ReturnedSource } from '../../src/streams/channel-ends/blocking-channel-source.ts'

/** Attaches a lent reader to this thread. */
export type Borrow = (lent: LentSource) => BlockingSource & { giveBack(): ReturnedSource }

/** Never rejects. */
export async function performTask(task: ParseTask, borrow: Borrow): Promise<ParseReply> {
  switch (task.kind) {
    case 'bytes': {
      const { bytes } = task
      const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
      const outcome = await attempt(() => decodeAll(findFormat(task.format).configure(task.options), input))
      return { outcome, returned: null }
    }
    case 'channel':
      return onLoan(task.loan, borrow, (source, deadline) =>
        readMessage(source, findFormat(task.format).configure(task.options), deadline),
      )
    case 'run':
      return { outcome: await attempt(() => call(task.module, task.argument)), returned: null }
    case 'runOn':
      return onLoan(task.loan, borrow, (source, deadline) =>
        call(
          task.module,
          new BlockingReader(source, { deadline, onReset: task.loan.lent.onReset }),
          task.argument,
        ),
      )
    default:
      return task satisfies never
  }
}

type Outcome = ParseReply['outcome']

async function onLoan(
  loan: Loan,
  borrow: Borrow,
  perform: (source: BlockingSource, deadline: number) => unknown,
): Promise<ParseReply> {
  if (!new Claim(loan.claim).take())
    return { outcome: failure(new SockpoolError('ABORTED', 'the task was called off')), returned: null }
  const deadline = performance.now() + loan.deadline - sharedNow()
  let source: ReturnType<Borrow> | null = null
  const outcome = await attempt(() => {
    source = borrow(loan.lent)
    return perform(source, deadline)
  })
  return giveBack(source, outcome)
}

function giveBack(source: ReturnType<Borrow> | null, outcome: Outcome): ParseReply {
  if (source === null) return { outcome, returned: null }
  try {
    return { outcome, returned: source.giveBack() }
  } catch (error) {
    return { outcome: failure(error), returned: null }
  }
}

/** Calls the default function of a user's module. */
async function call(module: string, ...args: readonly unknown[]): Promise<unknown> {
  const { default: entry }: { default?: unknown } = await import(module)
  if (typeof entry !== 'function')
    throw new SockpoolError('INVALID_REQUEST', 'the module has no default function')
  const value: unknown = await entry(...args)
  // A value that cannot be posted would end this thread, and the lent reader with it, so it is tried here.
  return typeof value === 'object' || typeof value === 'function' ? structuredClone(value) : value
}

async function attempt(perform: () => unknown): Promise<Outcome> {
  try {
    return { ok: true, value: await perform() }
  } catch (error) {
    return failure(error)
  }
}

function failure(error: unknown): Outcome {
  if (error instanceof SockpoolError) return { ok: false, error: error.toJSON() }
  const reason = error instanceof Error ? error.name : typeof error
  const adopted = new SockpoolError('PARSE_FAILED', SockpoolError.from(error).message, { reason })
  try {
    return { ok: false, error: adopted.toJSON(), cause: structuredClone(error) }
  } catch {
    // A cause that cannot be cloned stays here; its name and message go along all the same.
    return { ok: false, error: adopted.toJSON() }
  }
}
