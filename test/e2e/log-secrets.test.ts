/** What the log of a whole round must not hold, at the level that says most: nothing that was planted is found. */
import { createHash } from 'node:crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import { sendRaw } from '../support/raw-http.ts'
import { startServiceProcess } from '../support/service-process.ts'
import { startUpstream } from '../support/upstream.ts'

/** Told apart by the place where each was planted. */
const canary = (place: string): string => `canary-${place}-5up3r`

const TOKEN = canary('token')

describe('the log', () => {
  test('holds no token, lease id, payload, key or query, whatever fails', { timeout: 60_000 }, async () => {
    const upstream = await startUpstream()
    onTestFinished(() => upstream.close())
    const { host, port: sinkPort } = upstream
    const service = await startServiceProcess({
      args: ['--demo', '--log-level', 'trace'],
      config: {
        auth: {
          tokens: [{ name: 'ops', sha256: createHash('sha256').update(TOKEN).digest('hex'), admin: true }],
        },
        http: { accessLog: 'all' },
        limits: { operationTimeout: '1s', drainTimeout: '1s' },
        targets: {
          sink: { host, port: sinkPort },
          secretive: {
            host,
            port: sinkPort,
            onConnect: [{ send: canary('dialog') }, { expect: canary('expect') }],
          },
        },
      },
    })
    const api = service.api.as(TOKEN)
    const port = Number(new URL(service.url).port)

    const lease = await api.lease('demo')
    await lease.call('write?drain=true', { body: `${canary('payload')}\n` })
    await lease.call(`readuntil?separator=${canary('separator')}&timeoutMs=100`)
    await lease.call(`readline?bogus=${canary('query')}`)
    await lease.call('readline')
    await lease.call('writelines', { json: [`${canary('line')}\n`] })
    await lease.call('parse', { json: { format: 'json', options: { [canary('option')]: 1 } } })
    await lease.call('parse', { json: { format: 'json', timeoutMs: 200 } })
    await lease.call(canary('route'))
    await api.get(`/${canary('path')}?token=${canary('url')}`)
    await api.get(`/v1/leases/${canary('id')}`)
    await api.get(`/v1/targets/${canary('name')}`)
    await api.post(`/v1/parse/json?x=${canary('option')}`, { body: `{"${canary('json')}":` })
    await api.post('/v1/leases', {
      body: `{"${canary('body')}`,
      headers: { 'content-type': 'application/json' },
    })
    await api.post('/v1/leases', { json: { target: 'demo', [canary('field')]: canary('value') } })
    await api.post('/v1/leases', { json: { target: 'demo' }, headers: { 'idempotency-key': canary('key') } })
    const ca = `-----BEGIN CERTIFICATE-----\n${canary('pem')}\n-----END CERTIFICATE-----`
    await api.post('/v1/leases', { json: { target: { host: '127.0.0.1', port: 1, tls: { ca } } } })
    await api.post('/v1/exchange', {
      json: { target: 'demo', write: { text: canary('write') }, read: `until:${canary('until')}` },
    })
    await api.post(`/v1/exchange?target=demo&read=until:${canary('until')}&timeoutMs=100`, {
      body: canary('bytes'),
    })

    const dialog = api.lease('secretive', { waitMs: 900 }).catch(() => null)
    const talkative = await upstream.next()
    await talkative.received(canary('dialog').length)
    await talkative.send(canary('wrong-answer').repeat(3))
    await dialog
    const broken = await api.lease('sink')
    const peer = await upstream.next()
    const reading = broken.call('readline')
    await peer.send(canary('partial'))
    peer.reset()
    await reading
    await broken.call('write', { body: canary('late') })

    await service.api.as(canary('wrong-token')).get('/v1/leases')
    await api.get('/v1/leases', { headers: { origin: `http://${canary('origin')}` } })
    const credentials = Buffer.from(`x:${canary('proxy')}`).toString('base64')
    await sendRaw(
      port,
      `CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nProxy-Authorization: Basic ${credentials}\r\n\r\n`,
    )
    await sendRaw(port, `${canary('garbage')}\r\n\r\n`)
    await sendRaw(port, `GET /?${canary('long').repeat(600)} HTTP/1.1\r\n\r\n`)
    await sendRaw(
      port,
      `GET /${canary('escape')}%zz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`,
    )

    const { leases } = JSON.parse((await api.get('/v1/leases')).text) as { leases: { id: string }[] }
    const ids = [lease.view.id, broken.view.id, ...leases.map(({ id }) => id)]
    await service.stop()
    const log = service.stderr()
    expect(log.split('\n').length).toBeGreaterThan(30)
    expect(log.split('\n').filter(line => /canary/i.test(line))).toEqual([])
    expect(log).not.toContain(credentials)
    for (const place of ['payload', 'token', 'write', 'partial'])
      expect(log).not.toContain(Buffer.from(canary(place)).toString('base64').slice(0, 16))
    expect(ids.length).toBeGreaterThan(2)
    expect(ids.filter(id => log.includes(id))).toEqual([])
  })
})
