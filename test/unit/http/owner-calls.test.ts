/** Calls of another instance, and how each ends. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type OwnerCall, OwnerCalls } from '../../../src/http/forwarding/owner-calls.ts'
import { until } from '../../support/until.ts'

async function startCalls(serve: RequestListener) {
  const server = createServer(serve)
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
    socket.once('close', () => socket.destroy()).resume()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const open = new Set<object>()
  server.on('connection', socket => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  const calls = new OwnerCalls(undefined, 5_000)
  onTestFinished(() => {
    calls.close()
    server.closeAllConnections()
    server.close()
  })
  const errors: unknown[] = []
  const call: OwnerCall = {
    ...{ name: 'odd', origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
    ...{ method: 'GET', path: '/', headers: {}, signal: new AbortController().signal, sendBody: null },
    onAnswer: () => {},
    onFailed: error => void errors.push(error),
  }
  return { open, calls, call, errors }
}

describe('OwnerCalls', () => {
  test('fails a call once whose answer could not be taken, and leaves nothing of it behind', async () => {
    const { open, calls, call, errors } = await startCalls((_request, response) => response.write('some'))
    const onAnswer = (): void => {
      throw new Error('nobody takes it')
    }
    calls.start({ ...call, onAnswer })
    await until('it has failed', () => errors.length > 0)
    expect(errors).toMatchObject([{ code: 'INSTANCE_UNREACHABLE', retryable: true }])
    await until('its connection is gone', () => open.size === 0)
    expect(errors).toHaveLength(1)
  })

  test('fails a call once whose switch of protocols could not be taken, or was not asked for', async () => {
    const { calls, call, errors } = await startCalls(() => {})
    const headers = { connection: 'upgrade', upgrade: 'websocket' }
    const onSwitched = (): void => {
      throw new Error('nobody takes it')
    }
    calls.start({ ...call, headers, onSwitched })
    await until('it has failed', () => errors.length === 1)
    calls.start({ ...call, headers })
    await until('it has failed too', () => errors.length === 2)
    for (const error of errors) expect(error).toMatchObject({ code: 'INSTANCE_UNREACHABLE' })
  })
})
