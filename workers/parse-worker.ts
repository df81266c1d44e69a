import { move, transferableSymbol, valueSymbol } from 'piscina'
import type { ParseReply, ParseTask } from '../src/parse/formats/parse-task.ts'
import { borrowSource } from '../src/streams/channel-ends/lent-source.ts'
import { isParseProcess, servePool } from './parse/child-tasks.ts'
import { performTask } from './parse/perform-task.ts'
import { memoryOf } from './parse/reply-memory.ts'
import { giveWay } from './parse/thread-priority.ts'

// One file for both, so that whoever bundles this package or names its workers' files names one.
if (isParseProcess()) await servePool()
else giveWay()

/** The entry that Piscina calls for each task in a parse worker. What is large in the reply is transferred. */
export default async function parseWorker(task: ParseTask): Promise<ParseReply> {
  const reply = await performTask(task, borrowSource)
  const memory = memoryOf(task, reply)
  if (memory.length === 0) return reply
  // Piscina takes it apart again, so that its caller gets the reply.
  return move({ [transferableSymbol]: memory, [valueSymbol]: reply }) as unknown as ParseReply
}
