/**
 * XML documents in UTF-8, one after another. A message is one document, and ends with its root. There are no document types,
 * so that a document is all that it says: no entity but those of XML itself, nothing that lies elsewhere.
 *
 * Documents are judged and read by saxes, which holds to the grammar.
 */
import type { SaxesParser } from 'saxes'
import { errorText } from '../../base/error-text.ts'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { choiceOption, invalidOption, textOption } from '../../base/options.ts'
import { closedOptions } from './closed-options.ts'
import type { ConfiguredFormat, Decoder, Format } from './format.ts'
import { nameListOption } from './name-list.ts'
import { markLength, utf8Text } from './utf8-text.ts'
import { textOfValues } from './value-text.ts'
import { isXmlBlank, XmlScanner } from './xml-scanner.ts'
import { XML_SHAPES, type XmlOptions, type XmlShape, xmlBuilder } from './xml-values.ts'

export const xml: Format = {
  name: 'xml',
  configure(options: unknown): ConfiguredFormat {
    const own = xmlOptions(options)
    return {
      async open() {
        const { SaxesParser } = await import('saxes')
        return decoderOf(own, () => new SaxesParser())
      },
    }
  },
}

function decoderOf(options: XmlOptions, newParser: () => SaxesParser): Decoder {
  const cutting: Pick<Decoder, 'cutter' | 'decode'> = {
    cutter: saved => new XmlScanner(saved),
    decode: message => readDocument(message, options, newParser()),
  }
  return { ...cutting, text: textOfValues(cutting) }
}

/** Errors: INVALID_REQUEST. */
function xmlOptions(options: unknown): XmlOptions {
  const own = closedOptions('xml', options, ['shape', 'attributePrefix', 'arrays'])
  const shape = (choiceOption('options.shape', own.shape, XML_SHAPES) ?? 'compact') as XmlShape
  const { arrays } = own
  return {
    shape,
    attributePrefix: prefixOption(own.attributePrefix),
    arrays:
      typeof arrays === 'boolean' ? arrays : new Set(nameListOption('options.arrays', arrays) ?? undefined),
  }
}

/** It begins with what no name of an element does, so that an attribute is never taken for an element, or for the text. */
function prefixOption(value: unknown): string {
  const path = 'options.attributePrefix'
  const prefix = (textOption(path, value) as string | undefined) ?? '@'
  if (prefix.length <= LIMITS.xmlPrefixCharsMax && /^[@$%&*+.!?~^-]/.test(prefix)) return prefix
  throw invalidOption(
    path,
    `must be 1 to ${LIMITS.xmlPrefixCharsMax} characters, of which the first is one of @ $ % & * + . ! ? ~ ^ -`,
  )
}

/** Errors: PARSE_FAILED, PARSE_LIMIT. */
function readDocument(message: Buffer, options: XmlOptions, parser: SaxesParser): unknown {
  const start = startOf(message)
  const text = textFrom(message, start)
  const builder = xmlBuilder(options)
  parser.on('xmldecl', ({ encoding }) => checkEncoding(encoding))
  parser.on('opentag', ({ name, attributes }) => builder.open(name, attributes))
  parser.on('text', part => builder.text(part))
  parser.on('cdata', part => builder.text(part))
  parser.on('closetag', () => builder.close())
  parser.on('error', error => {
    throw error
  })
  try {
    parser.write(text).close()
  } catch (error) {
    // The parser counts characters, and has taken the one in which the fault shows.
    const before = text.slice(0, Math.max(0, parser.position - 1))
    throw new SockpoolError('PARSE_FAILED', errorText(error), {
      offset: start + Buffer.byteLength(before),
      cause: error,
    })
  }
  return builder.value
}

/** Behind a byte order mark and white space: a declaration is taken in front of all else alone. */
function startOf(message: Buffer): number {
  let at = markLength(message)
  while (isXmlBlank(message[at] ?? 0)) at += 1
  return at
}

function textFrom(message: Buffer, start: number): string {
  try {
    return utf8Text(message.subarray(start))
  } catch (error) {
    if (!(error instanceof SockpoolError)) throw error
    throw new SockpoolError(error.code, error.message, { offset: start + (error.offset ?? 0), cause: error })
  }
}

function checkEncoding(encoding: string | undefined): void {
  if (encoding === undefined || /^(utf-?8|(us-)?ascii)$/i.test(encoding)) return
  throw new SockpoolError('PARSE_FAILED', 'the document says that it is in an encoding other than UTF-8')
}
