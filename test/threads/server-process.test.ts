import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'

const INDEX = new URL('../../src/library/index.ts', import.meta.url).href

/** A program that uses the library, in a process of its own that ends with the test. */
function program(body: string): { child: ChildProcess; exited: Promise<unknown[]> } {
  const source = `import { openConnection, startServer } from ${JSON.stringify(INDEX)}\n${body}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return { child, exited: once(child, 'exit') }
}

test('a server alone keeps its process alive, and when it is closed and its clients are gone the process exits', async () => {
  const { child, exited } = program(`
    const server = await startServer((reader, writer) => {
      server.close()
      writer.write('bye')
      writer.close()
    }, '127.0.0.1', 0)
    console.log(server.address.port)
  `)
  if (child.stdout === null) throw new Error('the child has no output')
  const [port] = await once(createInterface(child.stdout), 'line')
  const socket = connect(Number(port), '127.0.0.1')
  expect(await text(socket)).toBe('bye')
  expect(await exited).toEqual([0, null])
})

test('a server that is bound and does not serve keeps no process alive', async () => {
  const { exited } = program(`await startServer(() => {}, '127.0.0.1', 0, { startServing: false })`)
  expect(await exited).toEqual([0, null])
})

test('what a handler wrote before it closed goes out before the process exits', async () => {
  const { child, exited } = program(`
    const server = await startServer((reader, writer) => {
      server.close()
      writer.write(Buffer.alloc(20_000_000))
      writer.close()
    }, '127.0.0.1', 0)
    console.log(server.address.port)
  `)
  if (child.stdout === null) throw new Error('the child has no output')
  const [port] = await once(createInterface(child.stdout), 'line')
  const socket = connect(Number(port), '127.0.0.1')
  expect((await text(socket)).length).toBe(20_000_000)
  expect(await exited).toEqual([0, null])
})

test('openConnection reaches startServer in one process by host and by path', async () => {
  const { child, exited } = program(`
    const path = '/tmp/sockpool-' + process.pid + '.sock'
    for (const where of [['127.0.0.1', 0], [{ path }]]) {
      const server = await startServer(async (reader, writer) => {
        writer.write(await reader.readLine())
        writer.close()
      }, ...where)
      const { port } = server.address
      const [reader, writer] = await openConnection(...(port ? ['127.0.0.1', port] : [{ path }]))
      writer.write('round\\n')
      console.log((await reader.readLine()).toString().trim())
      writer.close()
      server.close()
      await server.waitClosed()
    }
  `)
  if (child.stdout === null) throw new Error('the child has no output')
  expect(await text(child.stdout)).toBe('round\nround\n')
  expect(await exited).toEqual([0, null])
})
