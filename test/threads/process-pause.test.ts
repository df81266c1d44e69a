/** A process that stands still as a whole, as under `docker pause`, loses nothing: its threads stood still together. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.ts'
import { allocateDoorbell } from '../../src/channel/doorbell.ts'
import { SlabNumbers } from '../../src/channel/slab.ts'
import { IoThread } from '../../src/threads/io-thread.ts'
import { workerFile } from '../../src/threads/worker-file.ts'
import { echo, startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const INDEX = new URL('../../src/library/index.ts', import.meta.url).href

test('IoThread.silenceMs counts looks without a beat, however long the clock ran', async () => {
  const thread = new IoThread({
    index: 0,
    file: workerFile('io-worker'),
    poolDoorbell: allocateDoorbell(),
    promiseFlush: () => {},
    egress: { allow: [], denied: [], dnsServers: [] },
    holders: new Map(),
    ringSizes: { inboundBytes: 4_096, outboundBytes: 4_096 },
    slabNumbers: new SlabNumbers(),
    connections: new Map(),
    nextId: () => 'c1',
    watched: 'nothing',
    onDecision: () => {},
    onDropped: () => {},
    onFault: () => {},
    onDying: () => {},
    onExit: () => {},
  })
  onTestFinished(() => thread.stop(LIMITS.workerStopMs))
  await until('it beats', () => thread.vitals.beats > 0)
  thread.look()
  expect(thread.silenceMs).toBe(0)
  // Within one beat of the thread no look finds another.
  for (let look = 1; look <= 3; look++) thread.look()
  expect(thread.silenceMs).toBe(3 * LIMITS.sweepIntervalMs)
  const { beats } = thread.vitals
  await until('it beats again', () => thread.vitals.beats > beats)
  thread.look()
  expect(thread.silenceMs).toBe(0)
})

test('a process that stood still longer than a silent I/O worker may be keeps its connections', async () => {
  const server = await startTestServer(echo, { tolerant: true })
  const source = `
      import { createPool } from ${JSON.stringify(INDEX)}
      import { createInterface } from 'node:readline'
      const lost = []
      const onEvent = event => { if (event.kind === 'worker_lost') lost.push(event.kind) }
      const target = { host: '127.0.0.1', port: ${server.port} }
      const pool = await createPool({ ioWorkers: 2, targets: { it: target }, onEvent })
      const { reader, writer } = await pool.lease('it')
      console.log('ready')
      for await (const line of createInterface(process.stdin)) {
        writer.write(line + '\\n')
        console.log(String(await reader.readLine()).trim(), lost.length)
      }
    `
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  expect((await lines.next()).value).toBe('ready')
  child.kill('SIGSTOP')
  await pause(LIMITS.heartbeatDeadMs + 1_000)
  child.kill('SIGCONT')
  // Long enough for a look at the heartbeats, which would end the threads.
  await pause(2 * LIMITS.sweepIntervalMs)
  child.stdin.write('still here\n')
  expect((await lines.next()).value).toBe('still here 0')
  child.kill('SIGTERM')
  await once(child, 'exit')
})
