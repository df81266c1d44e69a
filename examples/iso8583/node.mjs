// Buys for 50.00 and prints type, response code and trace number of the answer.
const { SOCKPOOL_URL: url = 'http://127.0.0.1:7070', SOCKPOOL_TOKEN: token = '' } = process.env

async function exchange(message) {
  const answer = await fetch(`${url}/v1/exchange?target=bank`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
    body: message,
  })
  if (!answer.ok) throw new Error(await answer.text())
  return Buffer.from(await answer.arrayBuffer())
}

/** How long the fields are that have a fixed length; field 2 begins with its own. */
const LENGTHS = { 3: 6, 4: 12, 7: 10, 11: 6, 39: 2, 41: 8, 49: 3 }

/** Keys that are numbers come in their order. */
function encode(type, fields) {
  const bitmap = Buffer.alloc(16)
  for (const field of [1, ...Object.keys(fields)]) bitmap[(field - 1) >> 3] |= 0x80 >> ((field - 1) & 7)
  const texts = Object.entries(fields).map(([field, text]) =>
    field === '2' ? `${text.length}${text}` : text,
  )
  const message = Buffer.concat([Buffer.from(type), bitmap, Buffer.from(texts.join(''))])
  return Buffer.concat([Buffer.from([message.length >> 8, message.length & 0xff]), message])
}

function decode(message) {
  const fields = {}
  let place = 22
  for (let field = 2; field <= 128; field++) {
    if ((message[6 + ((field - 1) >> 3)] & (0x80 >> ((field - 1) & 7))) === 0) continue
    fields[field] = message.toString('latin1', place, place + LENGTHS[field])
    place += LENGTHS[field]
  }
  return { type: message.toString('latin1', 2, 6), fields }
}

const purchase = {
  2: '4761739001010119',
  3: '000000',
  4: '000000005000',
  7: '0301120000',
  11: '000042',
  41: 'TERM0001',
  49: '840',
}
const { type, fields } = decode(await exchange(encode('0200', purchase)))
console.log(type, fields[39], fields[11])
