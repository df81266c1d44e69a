// Reads two registers of a PLC and writes one that is not there.
const { SOCKPOOL_URL: url = 'http://127.0.0.1:7070', SOCKPOOL_TOKEN: token = '' } = process.env

async function exchange(message) {
  const answer = await fetch(`${url}/v1/exchange?target=plc`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
    body: message,
  })
  if (!answer.ok) throw new Error(await answer.text())
  return Buffer.from(await answer.arrayBuffer())
}

const UNIT = 1

/** What comes behind the function code. The transaction id may be the same for all: the service gives each its own. */
async function ask(code, ...words) {
  const message = Buffer.alloc(8 + 2 * words.length)
  message.writeUInt16BE(1, 0)
  message.writeUInt16BE(2 + 2 * words.length, 4)
  message.set([UNIT, code], 6)
  for (const [index, word] of words.entries()) message.writeUInt16BE(word, 8 + 2 * index)
  const answer = await exchange(message)
  if (answer[7] & 0x80) throw new Error(`exception ${answer[8]}`)
  return answer.subarray(8)
}

const registers = await ask(3, 0, 2)
console.log(registers.readUInt16BE(1), registers.readUInt16BE(3))
await ask(6, 9999, 1).catch(({ message }) => console.log(message))
