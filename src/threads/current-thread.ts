/** Which thread this is, for those who may not know of threads otherwise. */
import { threadId } from 'node:worker_threads'

/** The number of this thread in its process; 0 is the main thread. */
export function currentThreadId(): number {
  return threadId
}
