/** Errors as clients of sockets know them: they tell a lost connection by the system's codes. */
import { SockpoolError } from '../../base/errors.ts'

type Call = 'read' | 'write'

/** The error of a call that the connection failed; its cause is the error that it was lost by. */
export function systemError(error: unknown, syscall: Call): NodeJS.ErrnoException {
  return coded(codeOf(error, syscall), syscall, error)
}

/** What a write comes to whose socket was destroyed while it waited. */
export function canceledWrite(error: unknown): NodeJS.ErrnoException {
  return coded('ECANCELED', 'write', error)
}

/** A write after the peer's end has ended this side too; the message is that of net.Socket. */
export function endedByPeer(): NodeJS.ErrnoException {
  return Object.assign(new Error('This socket has been ended by the other party'), { code: 'EPIPE' })
}

function coded(code: string, syscall: Call, cause: unknown): NodeJS.ErrnoException {
  const message = cause instanceof Error ? cause.message : String(cause)
  return Object.assign(new Error(`${syscall} ${code}: ${message}`, { cause }), { code, syscall })
}

function codeOf(error: unknown, syscall: Call): string {
  if (!(error instanceof SockpoolError)) return syscall === 'read' ? 'ECONNRESET' : 'EPIPE'
  if (error.reason === 'ETIMEDOUT') return 'ETIMEDOUT'
  return error.code === 'WRITE_CLOSED' ? 'EPIPE' : 'ECONNRESET'
}
