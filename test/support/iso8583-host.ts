/** An ISO 8583 host of the npm package iso_8583: it answers sign-ons, echo tests and purchases, each with response code 00. */
import type { Socket } from 'node:net'
import Iso8583 from 'iso_8583'
import { startTestServer, type TestServer } from './test-server.ts'

export type Iso8583Host = TestServer & {
  /** The types of what it was sent (`0800 001` for a sign-on), in order. */
  readonly requests: string[]
}

/** What of a request stands in its answer again. */
const ECHOED = ['3', '4', '7', '11', '41', '49', '70']

export async function startIso8583Host(): Promise<Iso8583Host> {
  const requests: string[] = []
  const server = await startTestServer(socket => {
    let kept = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      kept = Buffer.concat([kept, chunk])
      while (kept.length >= 2 && kept.length >= 2 + kept.readUInt16BE(0)) {
        const end = 2 + kept.readUInt16BE(0)
        requests.push(answer(kept.subarray(0, end), socket))
        kept = kept.subarray(end)
      }
    })
  })
  return Object.assign(server, { requests })
}

function answer(message: Buffer, socket: Socket): string {
  const fields: Readonly<Record<string, string | undefined>> = new Iso8583().getIsoJSON(message)
  const { 0: type = '', 70: network } = fields
  if (fields['error'] !== undefined) throw new Error(`the host got what is no message: ${fields['error']}`)
  const again = ECHOED.flatMap(field => (fields[field] === undefined ? [] : [[field, fields[field]]]))
  const reply = { ...Object.fromEntries(again), 0: `${type.slice(0, 2)}1${type.slice(3)}`, 39: '00' }
  const bytes = new Iso8583(reply).getBufferMessage()
  if ('error' in bytes) throw new Error(`the host has no answer: ${bytes.error}`)
  socket.write(bytes)
  return network === undefined ? type : `${type} ${network}`
}
