import type { TextWrap } from '../../base/answer-form.ts'
import { reviveError, SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { Cutting, Decoder } from './format.ts'
import { TextSink } from './text-sink.ts'
import { jsonText } from './value-text.ts'

/** Hears now and then how many bytes of the input have become how many values. */
export type NoteProgress = (bytes: number, values: number) => void

/**
 * All values of an input that is complete, in order. An input without a message has none.
 *
 * Errors: PARSE_FAILED, PARSE_LIMIT, with `offset` in bytes from the start of the input.
 */
export function decodeAll(decoder: Decoder, input: Buffer, note?: NoteProgress): unknown[] {
  const values: unknown[] = []
  const add = (value: unknown): void => {
    if (values.length === LIMITS.parseElementsMax)
      throw new SockpoolError('PARSE_LIMIT', `the input has more than ${LIMITS.parseElementsMax} values`, {
        offset: 0,
      })
    values.push(value)
  }
  if (decoder.whole) eachValue(decoder.whole(input), input, add, note)
  else eachMessage(decoder, input, message => add(decoder.decode(message)), note)
  return values
}

/** As `decodeAll`, but the values as text that the caller wishes wrapped. */
export function writeAll(decoder: Decoder, input: Buffer, wrap: TextWrap, note?: NoteProgress): Uint8Array {
  const { text } = decoder
  const sink = new TextSink(input.length + wrap.before.length + wrap.after.length)
  sink.text(wrap.before)
  let isFirst = true
  const add = (write: () => void): void => {
    if (!isFirst) sink.text(wrap.between)
    isFirst = false
    write()
    sink.text(wrap.end)
  }
  if (decoder.whole)
    eachValue(decoder.whole(input), input, value => add(() => sink.text(jsonText(value))), note)
  else eachMessage(text, input, message => add(() => text.write(message, sink)), note)
  sink.text(wrap.after)
  return sink.finish()
}

/** Where in the input a value came from is its format's to know, so that only the end of all counts bytes. */
function eachValue(
  values: Iterable<unknown>,
  input: Buffer,
  use: (value: unknown) => void,
  note?: NoteProgress,
): void {
  let count = 0
  for (const value of values) {
    use(value)
    count += 1
    if (count % LIMITS.parseNoteValues === 0) note?.(0, count)
  }
  note?.(input.length, count)
}

function eachMessage(
  cutting: Cutting,
  input: Buffer,
  use: (message: Buffer) => void,
  note?: NoteProgress,
): void {
  let start = 0
  let count = 0
  // An empty input is looked at too: it may be none that the format takes.
  while (start === 0 || start < input.length) {
    const rest = input.subarray(start)
    try {
      const cutter = cutting.cutter()
      const length = cutter.push(rest) || cutter.finish()
      if (length === 'none') break
      if (length === 'partial')
        throw new SockpoolError('PARSE_FAILED', 'the input ends within a message', { offset: rest.length })
      use(rest.subarray(0, length))
      start += length
      count += 1
      if (count % LIMITS.parseNoteValues === 0) note?.(start, count)
    } catch (error) {
      throw shifted(error, start)
    }
  }
  note?.(input.length, count)
}

/** An error of what begins at `start`, which counts from its own start, for a caller who counts from another. */
export function shifted(error: unknown, start: number): unknown {
  if (!(error instanceof SockpoolError) || error.offset === undefined || start === 0) return error
  return Object.assign(reviveError({ ...error.toJSON(), offset: error.offset + start }), {
    cause: error.cause,
  })
}
