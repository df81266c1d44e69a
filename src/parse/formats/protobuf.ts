/**
 * Messages of Protocol Buffers by the descriptors of their files, as JSON has them by the protocol's own mapping: 64 bits as
 * texts, bytes as base64, enums by name, times as texts. Fields that the descriptors do not know are left out, extensions too.
 *
 *   framing varint   each message stands behind its length, as most libraries write messages one after another
 *   framing none     all that comes up to the end is one message, also where nothing comes
 */

import { DEFAULTS } from '../../base/defaults.ts'
import { errorText } from '../../base/error-text.ts'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { choiceOption, invalidOption } from '../../base/options.ts'
import { closedOptions } from './closed-options.ts'
import { shifted } from './decode-all.ts'
import { EndCutter } from './end-cutter.ts'
import type { ConfiguredFormat, Decoder, Format } from './format.ts'
import { descriptorsOption, openDescriptors } from './protobuf-descriptors.ts'
import { checkWire } from './protobuf-wire.ts'
import { forbiddenKey } from './records.ts'
import { decoderOfValues } from './value-text.ts'
import { VarintCutter, varintBytes } from './varint-cutter.ts'

const FRAMINGS = ['varint', 'none'] as const

export const protobuf: Format = {
  name: 'protobuf',
  configure(input: unknown): ConfiguredFormat {
    const options = closedOptions('protobuf', input, ['descriptors', 'message', 'framing'])
    const framing = choiceOption('options.framing', options.framing, FRAMINGS) ?? 'varint'
    const descriptors = descriptorsOption(options.descriptors)
    const message = messageOption(options.message)
    return {
      open: async () => {
        const read = await openProtobuf(descriptors, message)
        return framing === 'none' ? oneMessage(read) : delimited(read)
      },
    }
  },
}

/** The value of a message's own bytes. Errors: PARSE_FAILED, PARSE_LIMIT, with `offset` from its start. */
type ReadMessage = (message: Buffer) => unknown

function delimited(read: ReadMessage): Decoder {
  return decoderOfValues({
    cutter: saved => new VarintCutter(DEFAULTS.frameBytesMax, saved),
    decode(message) {
      const header = varintBytes(message)
      try {
        return read(message.subarray(header))
      } catch (error) {
        throw shifted(error, header)
      }
    },
  })
}

function oneMessage(read: ReadMessage): Decoder {
  return decoderOfValues({
    cutter: saved => new EndCutter(DEFAULTS.frameBytesMax, saved),
    decode: read,
    *whole(input) {
      yield read(input)
    },
  })
}

/** Errors: INVALID_REQUEST. */
function messageOption(value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= LIMITS.parseMessageNameCharsMax)
    return value
  throw invalidOption(
    'options.message',
    `must be the full name of a message, of at most ${LIMITS.parseMessageNameCharsMax} characters`,
  )
}

async function openProtobuf(descriptors: Uint8Array, name: string): Promise<ReadMessage> {
  const { fromBinary, toJson } = await import('@bufbuild/protobuf')
  const registry = await openDescriptors(descriptors)
  const type = registry.getMessage(name)
  if (!type) throw invalidOption('options.message', 'is not the full name of a message in the descriptors')
  const limits = { readUnknownFields: false, recursionLimit: LIMITS.parseDepthMax }
  return message => {
    checkWire(type, message, registry)
    const value = adopted(() => toJson(type, fromBinary(type, message, limits), { registry }))
    checkKeys(value)
    return value
  }
}

/** Errors: PARSE_FAILED for what the library takes for no message, or for one that JSON has no form for; PARSE_LIMIT. */
function adopted<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    // The stack is at its end: an Any within an Any, each in two halves, can be deeper than the walk has seen.
    const code = error instanceof RangeError ? 'PARSE_LIMIT' : 'PARSE_FAILED'
    throw new SockpoolError(code, `protobuf: ${errorText(error)}`, { offset: 0, cause: error })
  }
}

/** Errors: PARSE_FAILED for a `prototype` in the object of a `constructor`. */
function checkKeys(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) {
    for (const part of value) checkKeys(part)
    return
  }
  for (const [name, part] of Object.entries(value)) {
    if (
      name === 'constructor' &&
      typeof part === 'object' &&
      part !== null &&
      Object.hasOwn(part, 'prototype')
    )
      throw forbiddenKey(0)
    checkKeys(part)
  }
}
