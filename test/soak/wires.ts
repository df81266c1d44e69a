/** How the texts of the canary are put on the wire, by the protocol of its target. */

/** `line` and `dialog`: a text is a line. `resp`: the argument of ECHO. `modbus`: what follows the header. */
export const WIRES = ['line', 'dialog', 'resp', 'modbus'] as const
export type WireName = (typeof WIRES)[number]

/** What a target with an `onRelease` dialog is asked, and answers. */
export const RESET = 'RESET\n'
export const RESET_ANSWER = '+RESET\n'

const HEADER_BYTES = 7
/** Between the id that came last and one that nobody waits for. */
const STRANGE_ID = 20_000

/** A message of the requester. `id`: of Modbus. */
export type WireRequest = { readonly text: string; readonly id: number }

export function requestBytes(wire: WireName, text: string, id = 0): Buffer {
  if (wire === 'modbus') return modbusBytes(id, text)
  if (wire !== 'resp') return Buffer.from(`${text}\n`, 'latin1')
  return Buffer.from(`*2\r\n$4\r\nECHO\r\n$${text.length}\r\n${text}\r\n`, 'latin1')
}

export function answerBytes(wire: WireName, text: string, id: number): Buffer {
  if (wire === 'resp') return Buffer.from(`$${text.length}\r\n${text}\r\n`, 'latin1')
  return requestBytes(wire, text, id)
}

/** What answers nobody, of a protocol that may say so at any time. */
export function pushBytes(wire: WireName, id: number): Buffer {
  if (wire === 'resp') return Buffer.from('>2\r\n$7\r\nmessage\r\n$3\r\nall\r\n')
  return wire === 'modbus' ? modbusBytes((id + STRANGE_ID) & 0xffff, 'nobody') : Buffer.alloc(0)
}

/** The text of a whole answer, or of the part of one; null where it is none of this wire. */
export function answerOf(wire: WireName, bytes: Buffer): string | null {
  const text = bytes.toString('latin1')
  if (wire === 'modbus') return text.slice(HEADER_BYTES)
  if (wire !== 'resp') return text.endsWith('\n') ? text.slice(0, -1) : null
  const [, length, body] = /^\$(\d+)\r\n([^\r]*)\r\n$/.exec(text) ?? []
  return body === undefined || body.length !== Number(length) ? null : body
}

/** Cuts what a requester sends. Errors: what cannot be a request. */
export class RequestCut {
  readonly #wire: WireName
  #rest = ''

  constructor(wire: WireName) {
    this.#wire = wire
  }

  /** The part of a request that has come. */
  get rest(): string {
    return this.#rest
  }

  add(bytes: Buffer): WireRequest[] {
    this.#rest += bytes.toString('latin1')
    const found: WireRequest[] = []
    for (let next = this.#next(); next !== null; next = this.#next()) {
      found.push({ text: next.text, id: next.id })
      this.#rest = this.#rest.slice(next.length)
    }
    return found
  }

  #next(): (WireRequest & { readonly length: number }) | null {
    if (this.#wire === 'modbus') return this.#modbus()
    if (this.#wire === 'resp') return this.#resp()
    const end = this.#rest.indexOf('\n')
    return end === -1 ? null : { text: this.#rest.slice(0, end), id: 0, length: end + 1 }
  }

  #resp(): (WireRequest & { readonly length: number }) | null {
    const [head, length] = /^\*2\r\n\$4\r\nECHO\r\n\$(\d+)\r\n/.exec(this.#rest) ?? []
    if (head === undefined) return null
    const end = head.length + Number(length)
    if (this.#rest.length < end + 2) return null
    return { text: this.#rest.slice(head.length, end), id: 0, length: end + 2 }
  }

  #modbus(): (WireRequest & { readonly length: number }) | null {
    if (this.#rest.length < HEADER_BYTES) return null
    const header = Buffer.from(this.#rest.slice(0, HEADER_BYTES), 'latin1')
    const length = 6 + header.readUInt16BE(4)
    if (this.#rest.length < length) return null
    return { text: this.#rest.slice(HEADER_BYTES, length), id: header.readUInt16BE(0), length }
  }
}

function modbusBytes(id: number, text: string): Buffer {
  const message = Buffer.alloc(HEADER_BYTES + text.length)
  message.writeUInt16BE(id, 0)
  message.writeUInt16BE(1 + text.length, 4)
  message.write(text, HEADER_BYTES, 'latin1')
  return message
}
