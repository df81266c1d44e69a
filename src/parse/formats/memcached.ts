/**
 * memcached's text protocol with its meta commands. One message is one answer as the frame `memcached` cuts it.
 *
 *   VALUE … END     {values: [{key, flags, cas?, value}]}; nothing but END too, as to a get of no key that is there
 *   STAT … END      {stats: {name: text}}
 *   ITEM … END      {items: [{key, text}]}      PREFIX … END      {prefixes: [{prefix, text}]}
 *   VA              {status, flags: {letter: text, or true without one}, value}
 *   HD EN NF NS EX  {status, flags}
 *   digits          {number}
 *   ERROR and its kin {error: text}; what came of a list before it stands beside it
 *   any other line  {status, text?}
 */
import { DEFAULTS } from '../../base/defaults.ts'
import { memcachedFrame } from '../../frames/memcached.ts'
import { byteFormOption } from './byte-values.ts'
import { closedOptions } from './closed-options.ts'
import type { ConfiguredFormat, Decoder, Format } from './format.ts'
import { FrameCutter } from './frame-cutter.ts'
import { MemcachedReader } from './memcached-reader.ts'
import { decoderOfValues } from './value-text.ts'
import { wholeFormOption } from './whole-numbers.ts'

const FRAME = memcachedFrame(DEFAULTS.frameBytesMax)

export const memcached: Format = {
  name: 'memcached',
  configure(options: unknown): ConfiguredFormat {
    const { encoding, bigint } = closedOptions('memcached', options, ['encoding', 'bigint'])
    const forms = { bytes: byteFormOption(encoding), whole: wholeFormOption(bigint) }
    const decoder: Decoder = decoderOfValues({
      cutter: () => new FrameCutter(FRAME.answers()),
      decode: message => new MemcachedReader(message, forms).answer(),
    })
    return { open: () => decoder }
  },
}
