/**
 * What stands in for Buffer where a runtime has none: a Uint8Array with the few methods that the streams use, which mean here
 * what they mean on a Buffer. It is a part of the client's build for browsers alone (tsup.config.ts).
 */
export type TextEncoding = 'utf8' | 'latin1' | 'hex' | 'base64'

export class Bytes extends Uint8Array {
  copy(target: Uint8Array, targetStart = 0, start = 0, end: number = this.length): number {
    const part = this.subarray(start, Math.min(end, start + target.length - targetStart))
    target.set(part, targetStart)
    return part.length
  }

  compare(
    target: Uint8Array,
    targetStart = 0,
    targetEnd: number = target.length,
    start = 0,
    end: number = this.length,
  ): number {
    const [mine, other] = [this.subarray(start, end), target.subarray(targetStart, targetEnd)]
    for (let at = 0; at < mine.length && at < other.length; at++) {
      const difference = (mine[at] ?? 0) - (other[at] ?? 0)
      if (difference !== 0) return Math.sign(difference)
    }
    return Math.sign(mine.length - other.length)
  }

  equals(other: Uint8Array): boolean {
    return this.compare(other) === 0
  }

  /** As UTF-8, as far as whole characters fit. */
  write(text: string, offset = 0): number {
    return new TextEncoder().encodeInto(text, this.subarray(offset)).written
  }

  override toString(encoding: TextEncoding = 'utf8', start = 0, end: number = this.length): string {
    const part = this.subarray(start, end)
    switch (encoding) {
      case 'utf8':
        return new TextDecoder('utf-8', { ignoreBOM: true }).decode(part)
      case 'latin1':
        return characters(part)
      case 'hex':
        return Array.from(part, byte => byte.toString(16).padStart(2, '0')).join('')
      case 'base64':
        return btoa(characters(part))
      default:
        throw new TypeError(`Unknown encoding: ${String(encoding satisfies never)}`)
    }
  }
}

/** Characters that one call puts together: more arguments than so many do not fit a stack everywhere. */
const CHARACTERS = 8_192

function characters(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += CHARACTERS)
    text += String.fromCharCode(...bytes.subarray(at, at + CHARACTERS))
  return text
}

/** Of base64 that a service wrote, or of text. */
function fromText(text: string, encoding: 'utf8' | 'base64'): Bytes {
  if (encoding === 'utf8') return copied(new TextEncoder().encode(text))
  return copied(Uint8Array.from(atob(text), character => character.charCodeAt(0)))
}

function copied(bytes: Uint8Array): Bytes {
  const copy = new Bytes(bytes.length)
  copy.set(bytes)
  return copy
}

type FromSource = string | ArrayBuffer | Uint8Array

function from(
  source: FromSource,
  encodingOrOffset: 'utf8' | 'base64' | number = 'utf8',
  length?: number,
): Bytes {
  if (typeof source === 'string')
    return fromText(source, typeof encodingOrOffset === 'string' ? encodingOrOffset : 'utf8')
  if (ArrayBuffer.isView(source)) return copied(source)
  const offset = typeof encodingOrOffset === 'number' ? encodingOrOffset : 0
  return new Bytes(source, offset, length ?? source.byteLength - offset)
}

const zeros = (length: number): Bytes => new Bytes(length)

/** The calls of the class Buffer itself. A view of memory shares it; all else is copied. */
export const BufferStandIn: {
  readonly prototype: Bytes
  readonly alloc: (length: number) => Bytes
  readonly allocUnsafe: (length: number) => Bytes
  readonly allocUnsafeSlow: (length: number) => Bytes
  readonly from: typeof from
} = {
  prototype: Bytes.prototype,
  alloc: zeros,
  allocUnsafe: zeros,
  allocUnsafeSlow: zeros,
  from,
}
