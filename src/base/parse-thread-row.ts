/** A parse thread among the workers, as operators see it. It starts when there is work for it, and ends when it has none. */
export type ParseThreadRow = {
  /** The number of the thread. */
  readonly id: number
  readonly kind: 'parse'
  readonly threadId: number
  readonly state: 'busy' | 'idle'
  /** Complete inputs; messages of live connections; users' modules on live connections; users' modules without one. */
  readonly work: 'inputs' | 'messages' | 'modules' | 'calls'
  /** What it has been given so far, and has done by now unless it is busy. */
  readonly tasks: number
}
