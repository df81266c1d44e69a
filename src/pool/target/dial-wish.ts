/**
 * What a caller needs of its connection beside what the target says: the thread that it lives in, and what is said on it
 * before anything else. Whoever has no wish takes any but what was dialled with words of somebody's own.
 */
import { invariant } from '../../base/errors.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { Dial } from '../../threads/protocol.ts'

export type DialWish = {
  /** The number of the thread: a worker that is drained and its successor are two. */
  readonly thread: number
  /** Bytes in the place of those that the target's dialog for new connections sends first; such a connection is this caller's alone. */
  readonly header: Uint8Array | null
}

/** Whether a connection is one that the wish is about; `own`: the wish that it was dialled for alone. */
export function fits(
  wish: DialWish | null,
  { own }: { readonly own: DialWish | null },
  { thread }: Pick<IoConnection, 'thread'>,
): boolean {
  if (own !== ownOf(wish)) return false
  return wish === null || wish.thread === thread
}

/** The wish, where what is dialled for it serves nobody else. */
export function ownOf(wish: DialWish | null): DialWish | null {
  return wish?.header ? wish : null
}

/** The dial with the caller's own words first. */
export function wishedDial(dial: Dial, wish: DialWish | null): Dial {
  const { header } = wish ?? { header: null }
  if (header === null) return dial
  const { onConnect } = dial
  invariant(!('module' in onConnect), 'a module speaks first, and nothing before it')
  const [first, ...rest] = onConnect
  invariant(first?.kind === 'send', 'the dialog has no first words to stand in for')
  return { ...dial, onConnect: [{ ...first, bytes: [header] }, ...rest] }
}
