// Sends an HL7 message and prints how it was acknowledged.
const { SOCKPOOL_URL: url = 'http://127.0.0.1:7070', SOCKPOOL_TOKEN: token = '' } = process.env

async function exchange(message) {
  const answer = await fetch(`${url}/v1/exchange?target=hospital`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
    body: message,
  })
  if (!answer.ok) throw new Error(await answer.text())
  return Buffer.from(await answer.arrayBuffer())
}

const segments = ['MSH|^~\\&|LAB|EAST|ADT|WEST|20260301120000||ADT^A01|7|P|2.7', 'PID|1||4711||LOVELACE^ADA']
const answer = await exchange(`\x0b${segments.map(segment => `${segment}\r`).join('')}\x1c\r`)
for (const segment of String(answer.subarray(1, -2)).split('\r')) {
  const [name, code, id] = segment.split('|')
  if (name !== 'MSA') continue
  if (id !== '7') throw new Error(`this acknowledges ${id}`)
  console.log(code, id)
}
