/**
 * The way from asyncio to sockpool, docs/asyncio.md: every line that stands there runs as it stands, against one server,
 * and what Python's lines give is what those beside them give.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { createServer } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { readPage } from '../support/pages.ts'
import { findPython } from '../support/python.ts'
import { allOf } from '../support/server-fixture.ts'
import { echo, startTestServer } from '../support/test-server.ts'
import { testCertificate } from '../support/tls-certs.ts'
import { programOf, readTutorial } from '../support/tutorial.ts'
import { type Names, type Running, startModule, startPython, typeFaults } from '../support/tutorial-run.ts'

const { calls, programs } = readTutorial(readPage('docs/asyncio.md'))

/** The version of Python whose writers have start_tls. */
const PYTHON_MINOR = 11

/** What a page about asyncio's streams shows, and what each language must call where it is shown. */
const TOPICS: Readonly<Record<string, readonly [python: string, ts: string]>> = {
  connect: ['asyncio.open_connection(host, port)', 'openConnection(host, port)'],
  'connect with TLS': [
    'asyncio.open_connection(host, tls_port, ssl=',
    'openConnection(host, tlsPort, { tls:',
  ],
  start_tls: ['writer.start_tls(', 'writer.startTls('],
  'server with a handler': ['asyncio.start_server(', 'startServer('],
  write: ['writer.write(', 'writer.write('],
  writelines: ['writer.writelines([', 'writer.writeLines(['],
  drain: ['await writer.drain()', 'await writer.drain()'],
  'read all': ['await reader.read()', 'await reader.read()'],
  'read n': ['await reader.read(3)', 'await reader.read(3)'],
  readline: ['await reader.readline()', 'await reader.readLine()'],
  readexactly: ['await reader.readexactly(', 'await reader.readExactly('],
  readuntil: ['await reader.readuntil(', 'await reader.readUntil('],
  close: ['writer.close()', 'writer.close()'],
  is_closing: ['writer.is_closing()', 'writer.isClosing()'],
  wait_closed: ['await writer.wait_closed()', 'await writer.waitClosed()'],
}

/** What each program prints; of the server what two clients get. */
const PRINTED: Readonly<Record<string, string>> = {
  'connect with TLS': 'TLS_AES_256_GCM_SHA384\nhello\n\n',
  start_tls: 'ready\n\nsecret\n\n',
}
const SERVER = 'server with a handler'
const GOT_OF_SERVER = ['HELLO\n', 'ONE\nTWO\nNO NEWLINE']

const stated = calls.flatMap(({ result }) => (result ? [JSON.stringify(result.gives)] : []))
const clients = programs.filter(({ topic }) => topic !== SERVER)
const servers = programs.filter(({ topic }) => topic === SERVER)

/** For what dials nobody. */
const NAMES: Names = { host: '127.0.0.1', port: 1, tlsPort: 2, ca: '' }

/** The server that the page speaks of; the line STARTTLS makes it start TLS. */
async function startEcho(): Promise<Names> {
  const certificate = await testCertificate()
  const later = createServer(certificate, echo)
  const plain = await startTestServer(socket =>
    socket.once('data', bytes => {
      if (bytes.toString() === 'STARTTLS\n') {
        socket.write('ready\n')
        later.emit('connection', socket)
      } else {
        socket.write(bytes)
        echo(socket)
      }
    }),
  )
  const secure = await startTestServer(echo, { tls: certificate })
  return { host: plain.host, port: plain.port, tlsPort: secure.port, ca: certificate.cert }
}

/** Two clients of a started server, one within the other; all that each of them got. */
async function callServer(server: Running): Promise<readonly string[]> {
  const port = /^port (\d+)$/.exec(await server.firstLine())?.[1]
  const dial = async () => {
    const socket = connect(Number(port), '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    await once(socket, 'connect')
    return socket
  }
  const first = await dial()
  first.write('he')
  const second = await dial()
  second.end('one\ntwo\nno newline')
  const inner = await allOf(second)
  first.end('llo\n')
  return [await allOf(first), inner]
}

describe('the page on asyncio', () => {
  test('shows every topic, each in both languages', () => {
    const shown = new Map([...calls, ...programs].map(part => [part.topic, part]))
    expect(shown.size).toBe(calls.length + programs.length)
    for (const [topic, [python, ts]] of Object.entries(TOPICS)) {
      expect.soft(shown.get(topic)?.python, topic).toContain(python)
      expect.soft(shown.get(topic)?.ts, topic).toContain(ts)
    }
    expect(programs.map(({ topic }) => topic).toSorted()).toEqual(
      [...Object.keys(PRINTED), SERVER].toSorted(),
    )
  })

  test('has calls that give what it says they give', async () => {
    const running = await startModule(programOf(calls, 'ts'), await startEcho())
    expect((await running.printed()).trimEnd().split('\n')).toEqual(stated)
  })

  test('has calls that give the same in Python', async ({ skip }) => {
    const { program: python } = await findPython(PYTHON_MINOR, skip)
    const running = startPython(python, programOf(calls, 'python'), await startEcho())
    expect((await running.printed()).trimEnd().split('\n')).toEqual(stated)
  })

  test.for(clients)('has a program that runs: $topic', async ({ topic, ts }) => {
    const running = await startModule(ts, await startEcho())
    expect(await running.printed()).toBe(PRINTED[topic])
  })

  test.for(clients)('has a program that does the same in Python: $topic', async (program, { skip }) => {
    const { program: python } = await findPython(PYTHON_MINOR, skip)
    const running = startPython(python, program.python, await startEcho())
    expect(await running.printed()).toBe(PRINTED[program.topic])
  })

  test.for(servers)('has a program that serves: $topic', async ({ ts }) => {
    const server = await startModule(ts, NAMES)
    expect(await callServer(server)).toEqual(GOT_OF_SERVER)
  })

  test.for(servers)('has a program that serves the same in Python: $topic', async (program, { skip }) => {
    const { program: python } = await findPython(PYTHON_MINOR, skip)
    const server = startPython(python, program.python, NAMES)
    expect(await callServer(server)).toEqual(GOT_OF_SERVER)
  })

  test('has TypeScript that is sound', async () => {
    const wrong =
      "import { StreamReader } from 'sockpool'\nconst line: number = await new StreamReader().readLine()"
    const faults = await typeFaults([programOf(calls, 'ts'), ...programs.map(({ ts }) => ts), wrong], NAMES)
    expect(faults).toEqual([expect.stringMatching(/^Type 'Buffer.*' is not assignable to type 'number'/)])
  })
})

describe('a made-up page on asyncio', () => {
  const begin = '# Asyncio\n\n| call | asyncio | sockpool | gives |\n|---|---|---|---|\n'

  test('is read whole', () => {
    const text = `${begin}| read n | \`x = 1\` | \`const x = 1\` | \`1\` |\n\n**it**\n\n\`\`\`python\np\n\`\`\`\n\n\`\`\`ts\nt\n\`\`\`\n`
    expect(readTutorial(text)).toEqual({
      calls: [{ topic: 'read n', python: 'x = 1', ts: 'const x = 1', result: { name: 'x', gives: 1 } }],
      programs: [{ topic: 'it', python: 'p', ts: 't' }],
    })
  })

  test.each([
    ['a row without code', '| read | x | y | |', 'no row of the tutorial'],
    ['a row that does not say what it gives', '| read | `x = 1` | `const x = 1` | |', 'what it gives'],
    ['a row whose sides differ', '| read | `x = 1` | `const y = 1` | `1` |', 'one name'],
    ['a block of one language', '\n**it**\n\n```python\np\n```\n', 'pairs'],
    ['a block without a topic', '\n```python\np\n```\n\n```ts\nt\n```\n', 'pairs'],
  ])('with %s is refused', (_what, text, fault) => {
    expect(() => readTutorial(`${begin}${text}\n`)).toThrow(fault)
  })
})
