/** What bombs do to threads, and what they do not do to processes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text as textFrom } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

const PROGRAM = fileURLToPath(new URL('../fixtures/parse/bomb-program.ts', import.meta.url))

async function play(isolation: string) {
  // It leaves no image of its memory where it aborts.
  const command = 'ulimit -c 0; exec "$0" "$@"'
  const program = spawn('sh', ['-c', command, process.execPath, PROGRAM, isolation], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void program.kill('SIGKILL'))
  const [stdout, stderr] = [textFrom(program.stdout), textFrom(program.stderr)]
  const [code, signal] = await once(program, 'close')
  return { end: signal ?? code, stdout: await stdout, stderr: await stderr }
}

const CONTAINED = { bomb: 'PARSE_FAILED out_of_memory', wentOn: true, after: [[1]] }

test.each(['process', 'auto'])('a bomb ends its process alone: isolation %s', async isolation => {
  const { end, stdout } = await play(isolation)
  expect({ end, ...JSON.parse(stdout) }).toEqual({ end: 0, ...CONTAINED })
})

test('a bomb in a thread ends everything, for all the limits of its heap', async () => {
  const { end, stderr } = await play('thread')
  expect(end).toBe('SIGABRT')
  expect(stderr).toContain('heap out of memory')
})
