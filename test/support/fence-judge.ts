/**
 * What a call may come to once its lease has ended. LEASE_GONE always; beside it only what is listed here, and never a byte
 * of the lease that came after.
 */
import type { Cell, EndingName } from './fence-cells.ts'
import { describe, type Outcome } from './fence-outcome.ts'

/** Begins whatever a stranger's peer says. */
const STRANGE = 'B:'
/** Of these is whatever the peer of the ended lease says, and what that lease puts back. */
const OWN_BYTES = /^[A:helo\n[\],12?]*$/

/** `waited`: it waited when the lease ended; `used`: it was made afterwards. */
export type Phase = 'waited' | 'used'

/** How a connection that ended first may show its own end. */
const OWN_ENDS: Partial<Record<EndingName, readonly string[]>> = {
  FIN: ['INCOMPLETE_READ'],
  RST: ['CONNECTION_RESET'],
  'worker lost': ['WORKER_LOST', 'CONNECTION_RESET'],
}

/** What a stream of Node, or of the web, says that has ended. */
const STREAM_ENDS = [
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
  'ERR_STREAM_ALREADY_FINISHED',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_INVALID_STATE',
  'TypeError',
]
const REST_READS = ['readline', 'readexactly', 'readuntil']
const READS = [
  ...REST_READS,
  'read',
  'readLine',
  'readExactly',
  'readUntil',
  'readInto',
  'peek',
  'read to the end',
  'chunks',
  'lineBatches',
]
const WRITES = ['upload', 'write', 'writeLines', 'writeEof', 'write after writeEof', 'write after abort']

/** What shows that a call has looked at, or moved, what is not its lease's; or null. `isOwn` knows its bytes. */
export function strangeOf(
  { moment, ending }: Cell,
  outcome: Outcome,
  isOwn: (text: string) => boolean = text => OWN_BYTES.test(text),
): string | null {
  const { call, ok, code, text } = outcome
  if (ok && READS.includes(call) && call !== 'readInto' && !isOwn(text))
    return `not its own bytes: ${describe(outcome)}`
  // Where the end is seen late, what was put back is there before the handshake.
  const mayInject = moment === 'upgrading' || OWN_ENDS[ending] !== undefined
  const isLost = code === 'CHANNEL_CORRUPT' || (code === 'STARTTLS_INJECTION' && !mayInject)
  return isLost || text.includes(STRANGE) ? `a look at another's channel: ${describe(outcome)}` : null
}

/** What is wrong with how a call was answered, or null. */
export function wrongOf(cell: Cell, phase: Phase, outcome: Outcome): string | null {
  if (outcome.code === 'LEASE_GONE' || outcome.cause === 'LEASE_GONE') return null
  const isExcused =
    isHarmless(outcome) ||
    isEndOfStream(cell, outcome, phase) ||
    (phase === 'waited' && mayHaveWaited(cell, outcome)) ||
    isRefused(cell, outcome) ||
    mayShowOwnEnd(cell, outcome)
  return isExcused ? null : `${phase === 'waited' ? 'of what waited ' : ''}${describe(outcome)}`
}

/** What the end of the lease does not change: closing what is closed, and calls that are wrong by themselves. */
function isHarmless({ call, code }: Outcome): boolean {
  if (call === 'unread') return code === 'INVALID_REQUEST'
  // A caller that does not go on with its body is answered when its time is up.
  if (call === 'upload') return code === 'REQUEST_TIMEOUT'
  return ['close', 'abort', 'duplex.end', 'web close'].includes(call)
}

function isEndOfStream({ ending }: Cell, { call, ok, code, text }: Outcome, phase: Phase): boolean {
  if (!call.startsWith('duplex') && !call.startsWith('web')) return false
  // As a socket's, whose peer has ended before.
  if (code === 'EPIPE') return ending === 'FIN' || ending === 'RST'
  if (!ok) return STREAM_ENDS.includes(code)
  if (call === 'duplex close') return phase === 'waited'
  return call === 'duplex.read' ? text === 'null' : call === 'web read' && text.includes('"done":true')
}

function mayHaveWaited({ end, moment, ending }: Cell, { call, ok, code }: Outcome): boolean {
  // One that has no byte yet at its deadline hangs in a read.
  if (call === 'run' && ending === 'borrower hung') return code === 'PARSE_TIMEOUT' || code === 'READ_TIMEOUT'
  if (call === 'run' && ending === 'borrower dead') return code === 'PARSE_FAILED'
  // It has the whole message in the moment in which the lease ends.
  if (call === 'parse' && ending === 'borrower returned') return ok
  // What was written before such an end is still sent, and the peer took it.
  const isSent = ending === 'release' || ending === 'FIN'
  const sends = call === 'drain' || call === 'web write' || (end === 'attached blocking' && call === 'write')
  return isSent && moment === 'overfull' && sends && ok
}

/** A long body is written in pieces, and those that are left when a release closes the writer are refused. */
function isRefused({ moment, ending }: Cell, { call, code }: Outcome): boolean {
  if (moment !== 'overfull' || (ending !== 'release' && ending !== 'FIN')) return false
  if (call !== 'web write' && call !== 'upload') return false
  return code === 'WRITE_CLOSED' || code === 'CONNECTION_RESET'
}

function mayShowOwnEnd({ moment, ending }: Cell, { call, ok, code, cause }: Outcome): boolean {
  const own = OWN_ENDS[ending]
  if (own === undefined) return false
  if (own.includes(code) || own.includes(cause)) return true
  if (code === 'STARTTLS_INJECTION') return true
  // A handshake that the end cuts short fails by its own code, and takes both ends along.
  const isCut = moment === 'upgrading'
  if (isCut && (code === 'TLS_FAILED' || code === 'CONNECTION_RESET')) return true
  // What is put back stays with the reader, as what it has taken in.
  if (ok && call === 'unread') return true
  if (ok && READS.includes(call)) return true
  if (ending === 'FIN' && !isCut) return false
  // As asyncio's: a write to a connection that is gone is dropped, and drain tells; after writeEof it is an error.
  if (WRITES.includes(call)) return ok || code === 'WRITE_CLOSED'
  // A handshake with a peer that is gone takes its time, and takes both ends along.
  if (code === 'CONNECT_TIMEOUT') return true
  return code === 'WRITE_CLOSED' && ['startTls', 'send', 'web write'].includes(call)
}
