/** The command in the test's own process, and servers that it may call. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { run } from '../../src/command/command.ts'
import { captureStreams } from './captured-streams.ts'

export type RanCommand = { readonly code: number; readonly stdout: string; readonly stderr: string }

export async function command(args: readonly string[], stdin = ''): Promise<RanCommand> {
  const streams = captureStreams(stdin)
  const code = await run(args, '1.2.3', streams)
  return { code, stdout: streams.text('stdout'), stderr: streams.text('stderr') }
}

/** The address of a server that lives as long as the test; `path`: of a unix socket. */
export async function serverAt(listener: RequestListener, path?: string): Promise<string> {
  const server = createServer(listener)
  if (path === undefined) server.listen(0, '127.0.0.1')
  else server.listen(path)
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return path === undefined ? `http://127.0.0.1:${(server.address() as AddressInfo).port}` : `unix:${path}`
}
