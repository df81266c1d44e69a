/** The memory in a reply that nobody on this thread needs any more, so that it is transferred rather than copied. */
import type { PartResult } from '../../src/base/input-part.ts'
import { type MessageBatch, memoryIn } from '../../src/base/value-batch.ts'
import type { Parcel } from '../../src/base/value-parcel.ts'
import type { ParseReply, ParseTask } from '../../src/parse/formats/parse-task.ts'
import type { TurnResult } from '../../src/parse/formats/read-message.ts'

export function memoryOf(task: ParseTask, { outcome, returned }: ParseReply): ArrayBuffer[] {
  const position = returned?.position
  const unread = position === undefined ? [] : [position.kept, ...position.aside]
  const answer = outcome.ok ? answerIn(task, outcome.value) : []
  // What is empty has nothing to transfer, and its memory may be everybody's.
  const pieces = [...unread, ...answer].filter(({ length }) => length > 0)
  return pieces.map(({ buffer }) => buffer as ArrayBuffer)
}

/** The bytes in what a format's values came back as. What a user's module returns is its own. */
function answerIn(task: ParseTask, value: unknown): readonly Uint8Array[] {
  switch (task.kind) {
    case 'bytes':
    case 'message':
      return bytesIn(value as Parcel | Uint8Array)
    case 'batch':
      return memoryIn(value as MessageBatch)
    case 'part': {
      const result = value as PartResult
      const { pieces } = result.rest
      return result.kind === 'whole' ? pieces : [...result.texts, ...pieces]
    }
    case 'channel': {
      const result = value as TurnResult<Parcel | Uint8Array>
      if (result.kind === 'cut') return [result.message]
      return result.kind === 'message' ? bytesIn(result.value) : []
    }
    case 'run':
    case 'runOn':
      return []
    default:
      return task satisfies never
  }
}

function bytesIn(answer: Parcel | Uint8Array): readonly Uint8Array[] {
  if (answer instanceof Uint8Array) return [answer]
  return answer.kind === 'pieces' ? answer.pieces : []
}
