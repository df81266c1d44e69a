/** While the service drains, every answer says that its connection ends, and ends it. */
import { expect, onTestFinished, test } from 'vitest'
import { RawConnection } from '../support/raw-connection.ts'
import { startServiceFixture } from '../support/service-fixture.ts'

test('a draining service says close with every answer, and closes', async () => {
  const service = await startServiceFixture({ demo: true, finally: onTestFinished })
  const lease = await service.api.lease('demo')
  const reading = RawConnection.open(service.port)
  onTestFinished(() => void reading.socket.destroy())
  const request = (method: string, path: string, version = '1.1', token = service.token): string =>
    `${method} ${path} HTTP/${version}\r\nHost: 127.0.0.1:${service.port}\r\nConnection: keep-alive\r\n` +
    `Authorization: Bearer ${token}\r\n\r\n`
  reading.send(request('POST', `${lease.path}/readline`))
  await lease.begun('readline')
  const closed = service.close()
  const cases: readonly (readonly [string, number])[] = [
    [request('GET', lease.path), 200],
    [request('GET', lease.path, '1.0'), 200],
    [request('HEAD', lease.path), 200],
    [request('POST', `${lease.path}/drain`), 204],
    [request('GET', '/livez'), 200],
    [request('GET', '/readyz'), 503],
    [request('GET', '/v1/nowhere'), 404],
    [request('GET', '/v1/%zz'), 400],
    [request('GET', lease.path, '1.1', 'nobody'), 401],
    [request('OPTIONS', '*'), 404],
    [`POST /v1/exchange${request('', '', '1.1').slice(' '.length)}`, 400],
    ['GARBAGE\r\n\r\n', 400],
  ]
  for (const [text, status] of cases) {
    const connection = RawConnection.open(service.port)
    onTestFinished(() => void connection.socket.destroy())
    connection.send(text)
    await connection.over()
    expect(connection.statuses, text).toEqual([status])
    expect(connection.text.toLowerCase(), text).toContain('connection: close')
    expect(connection.text.toLowerCase(), text).not.toContain('keep-alive')
  }
  // A request from before the drain is told so too.
  await fetch(new URL(`${lease.path}/write`, service.url), {
    method: 'POST',
    body: 'line\n',
    headers: { authorization: `Bearer ${service.token}` },
  })
  await reading.over()
  expect(reading.text).toMatch(/^HTTP\/1\.1 200 .*connection: close.*line\n$/is)
  await lease.release()
  await closed
})
