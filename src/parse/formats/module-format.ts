/**
 * A format of an operator's or program's own: a module that exports
 *
 *   decode(message: Uint8Array, options) => value             the value of one message, which can be structured-cloned
 *   endOf?(bytes: Uint8Array, options) => number              the length of the first whole message, 0 where more is needed
 *   check?(options) => void                                   throws where it does not take the options
 *
 * Without `endOf` a message is everything up to the end. The module runs in the parse thread alone, where it may block.
 */
import { DEFAULTS } from '../../base/defaults.ts'
import { errorText } from '../../base/error-text.ts'
import { SockpoolError } from '../../base/errors.ts'
import { invalidOption } from '../../base/options.ts'
import { moduleFrame } from '../../frames/module.ts'
import { EndCutter } from './end-cutter.ts'
import type { Cutter, CutterState, Decoder, Format } from './format.ts'
import { FrameCutter } from './frame-cutter.ts'
import { textOfValues } from './value-text.ts'

type FormatOptions = Readonly<Record<string, unknown>>

/** What the module exports. */
export type FormatModule = {
  readonly decode: (message: Uint8Array, options: FormatOptions) => unknown
  readonly endOf?: (bytes: Uint8Array, options: FormatOptions) => number
  readonly check?: (options: FormatOptions) => void
}

/** `url`: the `file:` URL of the module, which whoever runs the pool has named. */
export function moduleFormat(name: string, url: string): Format {
  return {
    name,
    configure(options) {
      const given = optionsRecord(options)
      return { open: async () => decoderOf(await loadModule(name, url), given) }
    },
  }
}

/** Judged by the module itself, once it is loaded. */
function optionsRecord(options: unknown): FormatOptions {
  if (options === undefined || options === null) return {}
  if (typeof options !== 'object' || Array.isArray(options))
    throw invalidOption('options', 'must be an object')
  return { ...options }
}

async function loadModule(name: string, url: string): Promise<FormatModule> {
  const refuse = (what: string, cause?: unknown): SockpoolError =>
    new SockpoolError('INVALID_REQUEST', `the module of the format ${name} ${what}`, { cause })
  const loaded: Readonly<Record<string, unknown>> = await import(url).catch(error => {
    throw refuse(`cannot be loaded: ${errorText(error)}`, error)
  })
  const { decode, endOf, check } = loaded
  if (typeof decode !== 'function') throw refuse('must export a function decode')
  for (const [key, value] of Object.entries({ endOf, check }))
    if (value !== undefined && typeof value !== 'function')
      throw refuse(`exports ${key}, which must be a function`)
  return loaded as unknown as FormatModule
}

function decoderOf(module: FormatModule, options: FormatOptions): Decoder {
  try {
    module.check?.(options)
  } catch (error) {
    throw error instanceof SockpoolError ? error : invalidOption('options', errorText(error))
  }
  const { endOf } = module
  const cutter = (saved?: CutterState): Cutter => {
    // Whoever reads bounds what is read.
    if (endOf === undefined) return new EndCutter(Number.POSITIVE_INFINITY, saved)
    const frame = moduleFrame(bytes => endOf(bytes, options), DEFAULTS.frameBytesMax)
    return new FrameCutter(frame.answers())
  }
  const decode = (message: Buffer): unknown => {
    try {
      // A value that cannot be posted would end the thread, so it is tried here.
      return structuredClone(module.decode(message, options))
    } catch (error) {
      if (error instanceof SockpoolError) throw error
      const reason = error instanceof Error ? error.name : typeof error
      throw new SockpoolError('PARSE_FAILED', errorText(error), { offset: 0, reason, cause: error })
    }
  }
  return { cutter, decode, text: textOfValues({ cutter, decode }) }
}
