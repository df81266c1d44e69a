/** HTTP as bytes on a socket, for what no client library would send. */
import { connect, type Socket } from 'node:net'

export type RawAnswer = {
  readonly status: number
  readonly head: string
  readonly body: string
  readonly headers: ReadonlyMap<string, string>
}

/** Sends the text and resolves with all that came back once the server has closed the connection. */
export function sendRaw(port: number, text: string | Buffer): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.once('error', reject)
    socket.once('end', () => socket.end())
    socket.once('close', () => resolve(parsed(Buffer.concat(chunks).toString('latin1'))))
    socket.write(text)
  })
}

function parsed(text: string): RawAnswer {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const [first = '', ...lines] = head.split('\r\n')
  const headers = lines.map(line => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
  })
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1])
  return { status, head, body: rest.join('\r\n\r\n'), headers: new Map(headers) }
}
