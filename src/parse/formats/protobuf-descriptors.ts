/** A FileDescriptorSet of a caller's own, which may be anything, as the library's registry of its messages. */
import type { Registry } from '@bufbuild/protobuf'
import type { DescriptorProto } from '@bufbuild/protobuf/wkt'
import { errorText } from '../../base/error-text.ts'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { invalidOption } from '../../base/options.ts'
import { checkWire } from './protobuf-wire.ts'

const PATH = 'options.descriptors'
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/
const HOW_MUCH = `of 1 to ${LIMITS.parseDescriptorBytesMax} bytes`

/** The bytes of the option: base64, also the form for URLs, or a Uint8Array. Errors: INVALID_REQUEST. */
export function descriptorsOption(value: unknown): Uint8Array {
  const isText = typeof value === 'string'
  if (!isText && !(value instanceof Uint8Array))
    throw invalidOption(PATH, 'must be a FileDescriptorSet as base64, or its bytes')
  const least = isText ? Math.floor(value.length / 4) * 3 : value.length
  if (least === 0 || least > LIMITS.parseDescriptorBytesMax + 3)
    throw invalidOption(PATH, `must be ${HOW_MUCH}`)
  if (isText && !BASE64.test(value)) throw invalidOption(PATH, 'must be base64')
  return isText ? Buffer.from(value, 'base64') : value
}

/** The set that a thread has opened last: messages of one kind come one after another. */
let last: { readonly bytes: Uint8Array; readonly registry: Registry } | null = null

/** All messages and enums of the set. Errors: INVALID_REQUEST. */
export async function openDescriptors(bytes: Uint8Array): Promise<Registry> {
  if (last !== null && Buffer.compare(last.bytes, bytes) === 0) return last.registry
  const registry = await registryOf(bytes)
  // Its memory may be the caller's, who may write on in it.
  last = { bytes: new Uint8Array(bytes), registry }
  return registry
}

async function registryOf(bytes: Uint8Array): Promise<Registry> {
  const { createFileRegistry, createRegistry, fromBinary } = await import('@bufbuild/protobuf')
  const { FileDescriptorSetSchema } = await import('@bufbuild/protobuf/wkt')
  const { protoCamelCase } = await import('@bufbuild/protobuf/reflect')
  try {
    checkWire(FileDescriptorSetSchema, Buffer.from(bytes), createRegistry())
    const set = fromBinary(FileDescriptorSetSchema, bytes)
    for (const file of set.file) prepare(file.messageType, fullName('', file.package), protoCamelCase)
    const files = createFileRegistry(set)
    // Without extensions, whose values nothing has walked.
    const types = [...files].filter(({ kind }) => kind === 'message' || kind === 'enum')
    for (const type of types)
      if (type.kind === 'message' && type.fields.some(({ jsonName }) => jsonName === '__proto__'))
        throw new SockpoolError('INVALID_REQUEST', 'a field has the name __proto__ in JSON')
    return createRegistry(...types)
  } catch (error) {
    throw invalidOption(PATH, `are no FileDescriptorSet that is whole: ${errorText(error)}`)
  }
}

/** Gives fields the names that they have in JSON, where the compiler has left them for others to know. */
function prepare(
  messages: readonly DescriptorProto[],
  within: string,
  nameOf: (name: string) => string,
): void {
  for (const { name, field, nestedType } of messages) {
    for (const one of field) one.jsonName ||= nameOf(one.name)
    prepare(nestedType, fullName(within, name), nameOf)
  }
}

/** Bounded, as each of many types within would have a long name as a part of its own. */
function fullName(within: string, name: string): string {
  const { parseMessageNameCharsMax: most } = LIMITS
  if (within.length + name.length < most) return `${within}.${name}`
  throw new SockpoolError('INVALID_REQUEST', `a name is longer than ${most} characters`)
}
