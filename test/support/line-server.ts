/** A server whose peers speak in lines: `answer` gets each line without its newline. */
import type { Socket } from 'node:net'
import { startTestServer, type TestServer, type TestServerOptions } from './test-server.ts'

export function startLineServer(
  answer: (line: string, socket: Socket) => void,
  options: TestServerOptions & { readonly greeting?: string } = {},
): Promise<TestServer> {
  return startTestServer(socket => {
    let rest = ''
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) answer(line, socket)
    })
    if (options.greeting !== undefined) socket.write(options.greeting)
  }, options)
}

export function echoLine(line: string, socket: Socket): void {
  socket.write(`${line}\n`)
}
