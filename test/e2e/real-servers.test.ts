/** Protocols of real servers, binary and text, server first and client first, through leases and exchanges. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Api, jsonOf } from '../support/api.ts'
import { startServiceProcess } from '../support/service-process.ts'
import { findService, type ServiceName } from '../support/services.ts'

/** The API of a service whose one target, `it`, is the real server. */
async function facing(name: ServiceName, skip: (note: string) => never): Promise<Api> {
  const place = await findService(name, skip)
  const service = await startServiceProcess({ config: { targets: { it: place } } })
  onTestFinished(() => service.stop())
  return service.api
}

function mqttConnect(clientId: string): Buffer {
  const id = Buffer.from(clientId)
  const variable = Buffer.from([0, 4, ...Buffer.from('MQTT'), 4, 2, 0, 60])
  const payload = Buffer.concat([Buffer.from([0, id.length]), id])
  return Buffer.concat([Buffer.from([0x10, variable.length + payload.length]), variable, payload])
}

describe('a lease', () => {
  test('speaks PostgreSQL: the answer to SSLRequest is one byte', async ({ skip }) => {
    const api = await facing('postgres', skip)
    const sslRequest = Buffer.from('0000000804d2162f', 'hex')
    const asJson = await api.post('/v1/exchange', {
      json: { target: 'it', write: { base64: sslRequest.toString('base64') }, read: { exactly: 1 } },
    })
    expect(asJson.text).toMatch(/^[NS]$/)
    expect(asJson.headers.get('sockpool-offset')).toBe('0')
    const asBytes = await api.post('/v1/exchange?target=it&read=exactly:1', { body: sslRequest })
    expect(asBytes.text).toBe(asJson.text)
  })

  test('speaks MariaDB, whose server speaks first', async ({ skip }) => {
    const api = await facing('mariadb', skip)
    const lease = await api.lease('it')
    const header = (await lease.call('readexactly?n=4')).bytes
    expect(header[3]).toBe(0)
    const greeting = (await lease.call(`readexactly?n=${header.readUIntLE(0, 3)}`)).bytes
    expect(greeting[0]).toBe(10)
    expect(greeting.subarray(1, greeting.indexOf(0, 1)).toString()).toMatch(/^\d+\.\d+/)
    expect(jsonOf(await lease.look())).toMatchObject({ readOffset: 4 + greeting.length, writeOffset: 0 })
    await lease.release()
    const empty = { target: 'it', write: { text: '' }, read: 'exactly:4' }
    expect((await api.post('/v1/exchange', { json: empty })).bytes).toHaveLength(4)
  })

  test('speaks RabbitMQ: the AMQP header brings Connection.Start', async ({ skip }) => {
    const api = await facing('rabbitmq', skip)
    const lease = await api.lease('it')
    const sent = Buffer.from('AMQP\0\0\x09\x01', 'latin1')
    expect(jsonOf(await lease.call('write?drain=true', { body: sent }))).toEqual({ accepted: 8, offset: 8 })
    const header = (await lease.call('readexactly?n=7')).bytes
    expect([header[0], header.readUInt16BE(1)]).toEqual([1, 0])
    const frame = (await lease.call(`readexactly?n=${header.readUInt32BE(3) + 1}`)).bytes
    expect([frame.readUInt16BE(0), frame.readUInt16BE(2), frame.at(-1)]).toEqual([10, 10, 0xce])
    expect(frame.toString('latin1')).toContain('RabbitMQ')
  })

  test('speaks MQTT with Mosquitto: CONNECT brings CONNACK', async ({ skip }) => {
    const api = await facing('mosquitto', skip)
    const reply = await api.postForJson('/v1/exchange?target=it&read=exactly:4&encoding=hex', {
      body: new Uint8Array(mqttConnect(`sockpool-${process.pid}`)),
    })
    expect(reply).toEqual({ data: '20020000', encoding: 'hex', offset: 0, eof: false, reused: false })
  })

  test('speaks NATS: INFO comes first, PING brings PONG', async ({ skip }) => {
    const api = await facing('nats', skip)
    const lease = await api.lease('it')
    const info = (await lease.call('readline')).text
    expect(info).toMatch(/^INFO \{.*\} ?\r\n$/)
    await lease.call('writelines', { json: ['CONNECT {"verbose":false}\r\n', 'PING\r\n'] })
    expect((await lease.call('readuntil?separator=%0d%0a')).text).toBe('PONG\r\n')
    expect(jsonOf(await lease.call('parse', { json: { format: 'lines', timeoutMs: 100 } }))).toMatchObject({
      code: 'read_timeout',
    })
  })
})
