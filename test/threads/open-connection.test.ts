import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { startLineServer } from '../support/line-server.ts'
import { echo, refusingPort, startTestServer, type TestServer } from '../support/test-server.ts'
import { testCertificate } from '../support/tls-certs.ts'

const INDEX = new URL('../../src/library/index.ts', import.meta.url).href

/** Runs a program that uses the library in a process of its own; what it printed, and how it exited by itself. */
async function run(
  body: string,
  withinMs = 25_000,
): Promise<{ out: string; err: string; code: number | null }> {
  const program = `import { openConnection, createPool } from ${JSON.stringify(INDEX)}\n${body}`
  const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  const killer = setTimeout(() => child.kill('SIGKILL'), withinMs)
  onTestFinished(() => clearTimeout(killer))
  const { stdout, stderr } = child
  if (stdout === null || stderr === null) throw new Error('the child has no pipes')
  const [out, err, [code]] = await Promise.all([text(stdout), text(stderr), exited])
  clearTimeout(killer)
  return { out, err, code }
}

const address = (server: TestServer): string => `${JSON.stringify(server.host)}, ${server.port}`

test('openConnection serves a program as asyncio’s does, and the process exits by itself', async () => {
  const server = await startLineServer((line, socket) => {
    if (line === 'bye') socket.end('see you\nlast words')
    else socket.write(`${line.toUpperCase()}\n`)
  })
  const result = await run(`
    const [reader, writer] = await openConnection(${address(server)})
    writer.write('one\\ntwo\\n')
    await writer.drain()
    console.log((await reader.readLine()).toString().trim(), (await reader.readLine()).toString().trim())
    writer.write('bye\\n')
    for await (const line of reader) console.log(line.toString().trim())
    console.log(reader.atEof())
    writer.close()
    await writer.waitClosed()
  `)
  expect(result).toEqual({ out: 'ONE TWO\nsee you\nlast words\ntrue\n', err: '', code: 0 })
})

test('openConnection speaks TLS', async () => {
  const server = await startTestServer(echo, { tls: true })
  const { cert } = await testCertificate()
  const result = await run(`
    const tls = { ca: ${JSON.stringify(cert)}, servername: 'localhost' }
    const [reader, writer] = await openConnection(${address(server)}, { tls })
    writer.write('hello\\n')
    console.log((await reader.readLine()).toString().trim(), writer.getExtraInfo('ssl').protocol)
    writer.close()
    await writer.waitClosed()
  `)
  expect(result).toEqual({ out: 'hello TLSv1.3\n', err: '', code: 0 })
})

test('a process that opens nothing exits by itself', async () => {
  expect(await run(`console.log('done')`)).toEqual({ out: 'done\n', err: '', code: 0 })
  expect(await run(`await createPool({ ioWorkers: 2 }); console.log('done')`)).toMatchObject({
    out: 'done\n',
    code: 0,
  })
})

test('parse workers serve a program that was given on the command line, and do not keep it', async () => {
  const result = await run(`
    const pool = await createPool()
    console.log(JSON.stringify(await pool.parse('ndjson', Buffer.from('1\\n[2]'))))
    await pool.close()
  `)
  expect(result).toEqual({ out: '[1,[2]]\n', err: '', code: 0 })
})

test('a process stays alive while a read waits on an open connection', async () => {
  const server = await startTestServer(socket => void setTimeout(() => socket.end('late\n'), 700))
  const result = await run(`
    const [reader, writer] = await openConnection(${address(server)})
    const line = await reader.readLine()
    console.log(line.toString().trim())
    writer.close()
  `)
  expect(result).toEqual({ out: 'late\n', err: '', code: 0 })
})

test('a failed openConnection leaves nothing that keeps the process', async () => {
  const port = await refusingPort()
  const result = await run(`
    const error = await openConnection('127.0.0.1', ${port}).catch(reason => reason)
    console.log(error.name, error.code)
  `)
  expect(result).toEqual({ out: 'SockpoolError CONNECT_REFUSED\n', err: '', code: 0 })
})

test('many connections to one place are open at once, each with its own bytes, and limits are the caller’s', async () => {
  const server = await startTestServer(echo)
  const result = await run(`
    const CONNECTIONS = 40
    const opened = await Promise.all(Array.from({ length: CONNECTIONS }, () => openConnection(${address(server)}, { limit: 100 })))
    await Promise.all(opened.map(async ([reader, writer], index) => {
      if (reader.limit !== 100) throw new Error('another limit')
      const sent = Buffer.alloc(300_000, 'connection ' + index + ' ')
      writer.write(sent)
      const got = await reader.readExactly(sent.length)
      if (!got.equals(sent)) throw new Error('wrong bytes')
      writer.close()
      await writer.waitClosed()
    }))
    console.log('right')
  `)
  expect(result).toEqual({ out: 'right\n', err: '', code: 0 })
})

test('openConnection is ABORTED by its signal and CONNECT_TIMEOUT by its time', async () => {
  const server = await startTestServer(socket => socket.resume())
  const result = await run(`
    const tls = { servername: 'localhost' }
    const late = await openConnection(${address(server)}, { tls, connectTimeoutMs: 100 }).catch(error => error)
    console.log(late.code)
    const left = await openConnection(${address(server)}, { tls, signal: AbortSignal.timeout(100) }).catch(error => error)
    console.log(left.code)
    process.exit()
  `)
  expect(result).toMatchObject({ out: 'CONNECT_TIMEOUT\nABORTED\n', code: 0 })
})
