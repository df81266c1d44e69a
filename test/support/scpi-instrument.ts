/**
 * A line instrument that speaks SCPI: a multimeter which, as many of its kind, serves one connection and turns others away. A
 * command without a question mark has no answer.
 */
import { createInterface } from 'node:readline'
import { startTestServer, type TestServer } from './test-server.ts'

const ANSWERS: Readonly<Record<string, string>> = {
  '*IDN?': 'EXAMPLE,DMM-1,0001,1.0',
  '*OPC?': '1',
  'MEAS:VOLT:DC?': '5.003',
}

export type ScpiInstrument = TestServer & {
  /** Connections that it has turned away. */
  turnedAway(): number
}

export async function startScpiInstrument(): Promise<ScpiInstrument> {
  const answer = multimeter()
  let turnedAway = 0
  const server = await startTestServer((socket, { sockets }) => {
    if (sockets.size > 1) {
      turnedAway++
      socket.destroy()
      return
    }
    createInterface({ input: socket }).on('line', line => {
      const told = line.split(/;:?/).map(answer)
      const text = told.filter(each => each !== null).join(';')
      if (text !== '') socket.write(`${text}\n`)
    })
  })
  return Object.assign(server, { turnedAway: () => turnedAway })
}

/** Its answer to a command, or null where that has none. */
function multimeter(): (command: string) => string | null {
  let range = '1'
  const faults: string[] = []
  return command => {
    const { 1: wanted } = /^CONF:VOLT:DC (\d+)$/.exec(command) ?? []
    if (wanted !== undefined) {
      range = wanted
      return null
    }
    if (command === 'CONF?') return `"VOLT:DC ${range}"`
    if (command === 'SYST:ERR?') return faults.shift() ?? '0,"No error"'
    const { [command]: known = null } = ANSWERS
    if (known === null) faults.push('-113,"Undefined header"')
    return known
  }
}
