/** When an answer is over, where Node says so and where it does not. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { onAnswerEnd } from '../../../src/http/bytes/answer-end.ts'
import { until } from '../../support/until.ts'

/** Requests of one connection, each with the answer that Node has made for it. */
async function startAsking(asked: string) {
  const calls: { readonly request: IncomingMessage; readonly response: ServerResponse }[] = []
  const server = createServer((request, response) => void calls.push({ request, response }))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  client.resume()
  onTestFinished(() => {
    client.destroy()
    server.close()
  })
  client.write(asked)
  const count = asked.split('GET').length - 1
  await until('all have come', () => calls.length === count)
  return { calls, client }
}

const GET = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'

test('an answer is over once, and leaves no listener on a connection that goes on', async () => {
  const { calls, client } = await startAsking(GET)
  const [call] = calls
  if (call === undefined) throw new Error('nothing was asked')
  const { request, response } = call
  let count = 0
  const before = response.listenerCount('finish')
  onAnswerEnd(request, response, () => count++)
  response.end('ok')
  await until('it is over', () => count === 1)
  expect(response.listenerCount('finish')).toBeLessThanOrEqual(before)
  const closed = once(request.socket, 'close')
  client.destroy()
  await closed
  expect(count).toBe(1)
  onAnswerEnd(request, response, () => count++)
  expect(count, 'at once').toBe(2)
})

test('an answer is over with its connection, where it waits for its turn or was made by hand', async () => {
  const { calls, client } = await startAsking(GET.repeat(20))
  const over = new Set<number>()
  const [first] = calls
  if (first === undefined) throw new Error('nothing was asked')
  const before = first.request.socket.listenerCount('close')
  for (const [index, { request, response }] of calls.entries())
    onAnswerEnd(request, response, () => over.add(index))
  onAnswerEnd(first.request, new ServerResponse(first.request), () => over.add(calls.length))
  expect(first.request.socket.listenerCount('close')).toBe(before + 1)
  client.destroy()
  await until('all are over', () => over.size === calls.length + 1)
})
