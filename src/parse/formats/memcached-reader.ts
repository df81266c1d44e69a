/**
 * Reads one answer of memcached that the frame has passed: its lines end with `\r\n`, and their data is as long as they say.
 */
import { SockpoolError } from '../../base/errors.ts'
import { type ByteForm, byteValue } from './byte-values.ts'
import { ElementCount } from './element-count.ts'
import { type Pair, recordOf } from './records.ts'
import { type WholeForm, wholeNumber } from './whole-numbers.ts'

export type MemcachedForms = { readonly bytes: ByteForm; readonly whole: WholeForm }

type Line = {
  readonly from: number
  /** The line without its end, and its words, as latin1: a character a byte. */
  readonly text: string
  readonly words: readonly string[]
}

const CR_LF_BYTES = 2
const LF = 0x0a
/** Latin1 without a character beyond ASCII. */
const ASCII = /^[^\u0080-\u00ff]*$/
const META: ReadonlySet<string> = new Set(['HD', 'EN', 'NF', 'NS', 'EX', 'VA'])
const FAILURES: ReadonlySet<string> = new Set(['ERROR', 'ERROR:', 'CLIENT_ERROR', 'SERVER_ERROR'])

export class MemcachedReader {
  readonly #message: Buffer
  readonly #forms: MemcachedForms
  readonly #elements = new ElementCount()
  #at = 0

  constructor(message: Buffer, forms: MemcachedForms) {
    this.#message = message
    this.#forms = forms
  }

  /** The answer that the message is. Errors: PARSE_FAILED, PARSE_LIMIT. */
  answer(): unknown {
    const line = this.#line()
    const [word = ''] = line.words
    switch (word) {
      case 'VALUE':
      case 'END':
        return this.#list(line, 'values', at => this.#value(at))
      case 'STAT':
        return this.#stats(line)
      case 'ITEM':
        return this.#list(line, 'items', ({ words, text }) => ({
          key: textOf(words[1]),
          text: rest(text, 2),
        }))
      case 'PREFIX':
        return this.#list(line, 'prefixes', ({ words, text }) => ({
          prefix: textOf(words[1]),
          text: rest(text, 2),
        }))
      default:
        return this.#single(word, line)
    }
  }

  #single(word: string, { words, text, from }: Line): unknown {
    if (FAILURES.has(word)) return { error: textOf(text) }
    if (/^\d/.test(word)) return { number: wholeNumber(word, this.#forms.whole) }
    if (META.has(word)) return this.#meta(word, words, from)
    return words.length === 1 ? { status: word } : { status: word, text: rest(text, 1) }
  }

  #meta(status: string, words: readonly string[], from: number): unknown {
    const hasValue = status === 'VA'
    const pairs = words
      .slice(hasValue ? 2 : 1)
      .map((flag): Pair => [textOf(flag.slice(0, 1)), flag.length === 1 ? true : textOf(flag.slice(1))])
    const flags = recordOf(pairs, from)
    return hasValue ? { status, flags, value: this.#data(Number(words[1])) } : { status, flags }
  }

  /** Lines up to the one that ends them. An error in its place ends them too. */
  #list(first: Line, name: string, read: (line: Line) => unknown): Record<string, unknown> {
    const values: unknown[] = []
    let line = first
    for (; !isListEnd(line); line = this.#line()) {
      this.#elements.add(1, line.from)
      values.push(read(line))
    }
    return line.words[0] === 'END' ? { [name]: values } : { error: textOf(line.text), [name]: values }
  }

  #stats(first: Line): unknown {
    const { stats, ...others } = this.#list(
      first,
      'stats',
      ({ words, text }): Pair => [textOf(words[1]), rest(text, 2)],
    )
    return { ...others, stats: recordOf(stats as Pair[], first.from) }
  }

  #value({ words, from }: Line): unknown {
    const [, key, flags = '', length, cas, ...more] = words
    if (more.length > 0 || !isWhole(flags) || !(cas === undefined || isWhole(cas)))
      throw new SockpoolError(
        'PARSE_FAILED',
        'memcached: a line of a value has a word that cannot stand there',
        {
          offset: from,
        },
      )
    const { whole } = this.#forms
    return {
      key: textOf(key),
      flags: wholeNumber(flags, whole),
      ...(cas === undefined ? {} : { cas: wholeNumber(cas, whole) }),
      value: this.#data(Number(length)),
    }
  }

  #data(length: number): unknown {
    const from = this.#at
    this.#at = from + length + CR_LF_BYTES
    return byteValue(this.#message.subarray(from, from + length), this.#forms.bytes)
  }

  #line(): Line {
    const from = this.#at
    const end = this.#message.indexOf(LF, from)
    this.#at = end + 1
    const text = this.#message.toString('latin1', from, end - 1)
    return { from, text, words: text.split(' ').filter(word => word !== '') }
  }
}

function isListEnd({ words: [word = ''] }: Line): boolean {
  return word === 'END' || FAILURES.has(word)
}

function isWhole(text: string): boolean {
  return /^\d{1,20}$/.test(text)
}

/** What latin1 is as UTF-8. */
function textOf(latin1 = ''): unknown {
  return ASCII.test(latin1) ? latin1 : byteValue(Buffer.from(latin1, 'latin1'), 'utf8')
}

/** What stands behind so many words of the line, with the blanks within it. */
function rest(line: string, words: number): unknown {
  let at = blanksEnd(line, 0)
  for (let passed = 0; passed < words; passed++) {
    const end = line.indexOf(' ', at)
    at = end === -1 ? line.length : blanksEnd(line, end)
  }
  return textOf(line.slice(at))
}

function blanksEnd(line: string, from: number): number {
  let at = from
  while (line[at] === ' ') at += 1
  return at
}
