/** Judges what somebody wrote for a frame: closed, each value by what it means, each property read once. */
import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import { DEFAULTS } from '../base/defaults.ts'
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { bytesFrom } from './byte-text.ts'
import {
  FIELD_ENCODINGS,
  FIELD_ENDIANS,
  FRAME_NAMES,
  type FrameName,
  type FrameSpec,
  LENGTH_FIELD,
  type LengthField,
  type Marks,
} from './frame-spec.ts'

/** `operator`: who runs the service, or the program; `caller`: whoever may call the service. */
export type FrameAuthor = 'operator' | 'caller'

/**
 * The frame that the input names.
 *
 * Takes a name, or an object with one of `lengthField`, `delimiter` (with `max`), `fixed` and `module`; bytes as text with
 * escapes, `{hex}`, `{base64}` or a Uint8Array. A FrameSpec passes through as an equal one. A caller's frame loads no module,
 * and its messages are no longer than 16 MiB.
 *
 * Errors: INVALID_REQUEST with every fault in `errors`, their paths below `path`.
 */
export function judgeFrame(input: unknown, path: string, author: FrameAuthor): FrameSpec {
  const judge = new FrameJudge(author)
  const spec = judge.frame(input, path)
  const [first] = judge.faults
  if (spec !== undefined && first === undefined) return spec
  const more = judge.faults.length > 1 ? ` (and ${judge.faults.length - 1} more)` : ''
  const message = `${first?.path}: ${first?.message}${more}`
  throw new SockpoolError('INVALID_REQUEST', message, { errors: judge.faults })
}

type Fields = ReadonlyMap<string, unknown>

const KINDS = ['lengthField', 'delimiter', 'fixed', 'module'] as const
const FORMS = `must be one of ${FRAME_NAMES.join(', ')}, or an object with one of ${KINDS.join(', ')}`

class FrameJudge {
  readonly faults: { readonly path: string; readonly message: string }[] = []
  readonly #author: FrameAuthor
  /** Bytes that the author may let a message have. */
  readonly #bytesMax: number

  constructor(author: FrameAuthor) {
    this.#author = author
    this.#bytesMax = author === 'operator' ? LIMITS.configBytesMax : DEFAULTS.frameBytesMax
  }

  frame(input: unknown, path: string): FrameSpec | undefined {
    if (isFrameName(input)) return input
    const fields = fieldsOf(input)
    const kinds = KINDS.filter(kind => fields?.has(kind))
    const [kind] = kinds
    if (fields === null || kind === undefined || kinds.length > 1) return this.#refuse(path, FORMS)
    const at = `${path}.${kind}`
    const value = fields.get(kind)
    this.#close(fields, kind === 'delimiter' ? [kind, 'max'] : [kind], path)
    switch (kind) {
      case 'lengthField':
        return { lengthField: this.#lengthField(value, at) }
      case 'delimiter': {
        const delimiter = this.#delimiter(value, at)
        const marks = delimiter instanceof Uint8Array ? [delimiter] : Object.values(delimiter)
        const least = marks.reduce((sum, { length }) => sum + length, 0)
        return { delimiter, max: this.#max(fields, path, least, 'the marks') }
      }
      case 'fixed':
        return { fixed: this.#count(value, at, 1, this.#bytesMax) }
      case 'module':
        return { module: this.#module(value, at) }
      default:
        return kind satisfies never
    }
  }

  #lengthField(input: unknown, path: string): LengthField {
    const fields = fieldsOf(input)
    if (fields === null) {
      this.#refuse(path, 'must be an object')
      return LENGTH_FIELD
    }
    this.#close(fields, Object.keys(LENGTH_FIELD), path)
    const count = (key: 'offset' | 'bytes' | 'adjust', min: number, max: number): number =>
      this.#count(fields.get(key) ?? LENGTH_FIELD[key], `${path}.${key}`, min, max)
    const offset = count('offset', 0, LIMITS.frameOffsetMax)
    const bytes = count('bytes', 1, 8)
    const includesHeader = fields.get('includesHeader') ?? LENGTH_FIELD.includesHeader
    if (typeof includesHeader !== 'boolean') this.#refuse(`${path}.includesHeader`, 'must be true or false')
    return {
      offset,
      bytes,
      endian: this.#choice(fields.get('endian') ?? LENGTH_FIELD.endian, `${path}.endian`, FIELD_ENDIANS),
      encoding: this.#choice(
        fields.get('encoding') ?? LENGTH_FIELD.encoding,
        `${path}.encoding`,
        FIELD_ENCODINGS,
      ),
      adjust: count('adjust', -LIMITS.frameAdjustMax, LIMITS.frameAdjustMax),
      includesHeader: includesHeader === true,
      max: this.#max(fields, path, offset + bytes, 'the header'),
    }
  }

  #delimiter(input: unknown, path: string): Uint8Array | Marks {
    const fields = fieldsOf(input)
    if (fields === null || !(fields.has('start') || fields.has('end'))) return this.#bytes(input, path)
    this.#close(fields, ['start', 'end'], path)
    const start = this.#bytes(fields.get('start'), `${path}.start`)
    return { start, end: this.#bytes(fields.get('end'), `${path}.end`) }
  }

  #module(input: unknown, path: string): string {
    const text = input instanceof URL ? input.href : input
    if (this.#author === 'caller') this.#refuse(path, 'is code, which only the operator of the service names')
    else if (typeof text === 'string' && text.length <= LIMITS.frameModuleCharsMax) {
      const url = isAbsolute(text) ? pathToFileURL(text) : URL.parse(text)
      if (url?.protocol === 'file:') return url.href
      this.#refuse(path, 'must be a file: URL or an absolute path')
    } else this.#refuse(path, `must be a file: URL of at most ${LIMITS.frameModuleCharsMax} characters`)
    return ''
  }

  #bytes(input: unknown, path: string): Uint8Array {
    const bytes = bytesFrom(input, LIMITS.frameMarkBytesMax)
    if (bytes instanceof Uint8Array) return bytes
    this.#refuse(path, bytes.fault)
    return new Uint8Array()
  }

  /** The bound of a message that has at least so many bytes. */
  #max(fields: Fields, path: string, least: number, part: string): number {
    const max = this.#count(fields.get('max') ?? DEFAULTS.frameBytesMax, `${path}.max`, 1, this.#bytesMax)
    if (max < least) this.#refuse(`${path}.max`, `must hold ${part}, which have ${least} bytes`)
    return max
  }

  #count(value: unknown, path: string, min: number, max: number): number {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
    this.#refuse(path, `must be a whole number from ${min} to ${max}`)
    return max
  }

  #choice<Word extends string>(value: unknown, path: string, words: readonly [Word, ...Word[]]): Word {
    const word = words.find(known => known === value)
    if (word === undefined) this.#refuse(path, `must be one of ${words.join(', ')}`)
    return word ?? words[0]
  }

  #close(fields: Fields, known: readonly string[], path: string): void {
    for (const key of fields.keys())
      if (!known.includes(key))
        this.#refuse(`${path}.${key}`, `is not a known key; known here: ${known.join(', ')}`)
  }

  #refuse(path: string, message: string): undefined {
    this.faults.push({ path, message })
  }
}

function isFrameName(input: unknown): input is FrameName {
  return typeof input === 'string' && FRAME_NAMES.some(name => name === input)
}

/** The fields of an object that have a value, or null where the input is no plain object. */
function fieldsOf(input: unknown): Fields | null {
  if (typeof input !== 'object' || input === null) return null
  const prototype: unknown = Object.getPrototypeOf(input)
  if (prototype !== null && prototype !== Object.prototype) return null
  return new Map(Object.entries(input).filter(([, value]) => value !== undefined))
}
