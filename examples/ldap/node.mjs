// Checks passwords by LDAP binds and prints their results.
const { SOCKPOOL_URL: url = 'http://127.0.0.1:7070', SOCKPOOL_TOKEN: token = '' } = process.env

async function exchange(message) {
  const answer = await fetch(`${url}/v1/exchange?target=directory`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
    body: message,
  })
  if (!answer.ok) throw new Error(await answer.text())
  return Buffer.from(await answer.arrayBuffer())
}

/** An element of BER: a tag, the length of what is in it, and that. */
function element(tag, ...parts) {
  const content = Buffer.concat(parts.map(part => Buffer.from(part)))
  const size = content.length
  const length = size < 0x80 ? [size] : [0x82, size >> 8, size & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}

/** Where the content of the element at a place begins and ends. */
function within(data, place) {
  const size = data[place + 1]
  if (size < 0x80) return [place + 2, place + 2 + size]
  const start = place + 2 + size - 0x80
  return [start, start + data.readUIntBE(place + 2, size - 0x80)]
}

/** The result of the bind: 0 where the password is right, 49 where it is wrong. */
async function bind(name, password) {
  if (password === '') throw new Error('an empty password binds as nobody')
  const request = element(0x60, element(2, [3]), element(4, name), element(0x80, password))
  const answer = await exchange(element(0x30, element(2, [1]), request))
  const [message] = within(answer, 0)
  const [, response] = within(answer, message)
  const [result] = within(answer, response)
  const [code] = within(answer, result)
  return answer[code]
}

for (const password of ['correct horse', 'wrong'])
  console.log(`${password}: ${await bind('uid=ada,ou=people,dc=example,dc=org', password)}`)
