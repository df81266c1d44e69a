/**
 * SMTP replies, as the frame `smtp` cuts them: a code and its lines. It has looked at all that is fixed in them, so that there is
 * nothing left to parse but where a line's text begins.
 */
import { isUtf8 } from 'node:buffer'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { builtInFrame } from '../../frames/frames.ts'
import { closedOptions } from './closed-options.ts'
import type { ConfiguredFormat, Decoder, Format } from './format.ts'
import { FrameCutter } from './frame-cutter.ts'
import { textOfValues } from './value-text.ts'

export type SmtpReply = {
  readonly code: number
  /** The enhanced status code with which the first line begins (RFC 2034); absent where it begins with none. */
  readonly enhanced?: string
  /** What stands behind the code on each line, enhanced codes included. */
  readonly lines: readonly string[]
  /** The lines, with newlines between them. */
  readonly text: string
}

const cutting: Pick<Decoder, 'cutter' | 'decode'> = {
  cutter: () => new FrameCutter(builtInFrame('smtp').answers()),
  decode: readReply,
}

const decoder: Decoder = { ...cutting, text: textOfValues(cutting) }

export const smtp: Format = {
  name: 'smtp',
  configure(options: unknown): ConfiguredFormat {
    closedOptions('smtp', options, [])
    return { open: () => decoder }
  },
}

/** Behind three digits and the sign that says whether another line follows; neither need be there on a line without text. */
const TEXT_START = 4
const LINE_END = '\r\n'

function readReply(message: Buffer): SmtpReply {
  // Servers that know no UTF-8 say what they have to say in Latin 1.
  const charset = isUtf8(message) ? 'utf8' : 'latin1'
  const lines: string[] = []
  for (let start = 0; start < message.length; ) {
    if (lines.length === LIMITS.parseElementsMax)
      throw new SockpoolError('PARSE_LIMIT', `a reply has more than ${LIMITS.parseElementsMax} lines`, {
        offset: start,
      })
    const end = message.indexOf(LINE_END, start)
    lines.push(message.toString(charset, Math.min(start + TEXT_START, end), end))
    start = end + LINE_END.length
  }
  const code = message.toString('latin1', 0, TEXT_START - 1)
  const [enhanced] = /^[245]\.\d{1,3}\.\d{1,3}(?= |$)/.exec(lines[0] ?? '') ?? []
  // Both codes begin with the same digit; otherwise it is a number that happens to stand there.
  const own = enhanced !== undefined && enhanced[0] === code[0] ? { enhanced } : {}
  return { code: Number(code), ...own, lines, text: lines.join('\n') }
}
