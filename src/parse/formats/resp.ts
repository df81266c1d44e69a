/**
 * RESP2 and RESP3, which Redis and its kin speak. One message is one value as the frame `resp` cuts it; a push is one too.
 *
 *   + $ =   as `encoding` says              - !   {error: text}
 *   : (     a number, or as `bigint` says   ,     a number, which may be infinite or none
 *   # _     true, false, null               * ~   a list
 *   %       an object where all keys are texts and differ, else a list of pairs
 *   >       {push: list}                    |     left out, or {attributes, value} where they are asked for
 */
import { DEFAULTS } from '../../base/defaults.ts'
import { flagOption } from '../../base/options.ts'
import { respFrame } from '../../frames/resp.ts'
import { byteFormOption } from './byte-values.ts'
import { closedOptions } from './closed-options.ts'
import type { ConfiguredFormat, Decoder, Format } from './format.ts'
import { FrameCutter } from './frame-cutter.ts'
import { RespReader } from './resp-reader.ts'
import { decoderOfValues } from './value-text.ts'
import { wholeFormOption } from './whole-numbers.ts'

const FRAME = respFrame(DEFAULTS.frameBytesMax)

export const resp: Format = {
  name: 'resp',
  configure(options: unknown): ConfiguredFormat {
    const { encoding, bigint, attributes } = closedOptions('resp', options, [
      'encoding',
      'bigint',
      'attributes',
    ])
    const forms = {
      bytes: byteFormOption(encoding),
      whole: wholeFormOption(bigint),
      keepsAttributes: flagOption('options.attributes', attributes) === true,
    }
    const decoder: Decoder = decoderOfValues({
      cutter: () => new FrameCutter(FRAME.answers()),
      decode: message => new RespReader(message, forms).value(),
    })
    return { open: () => decoder }
  },
}
