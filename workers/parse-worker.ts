import type { ParseReply, ParseTask } from '../src/parse/formats/parse-task.ts'
import { borrowSource } from '../src/streams/channel-ends/lent-source.ts'
import { performTask } from './parse/perform-task.ts'

/** The entry that Piscina calls for each task in a parse worker. */
export default function parseWorker(task: ParseTask): Promise<ParseReply> {
  return performTask(task, borrowSource)
}
