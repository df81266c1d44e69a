// Sets a key of memcached and gets it: each command is one request by fetch.
const { SOCKPOOL_URL: url = 'http://127.0.0.1:7070', SOCKPOOL_TOKEN: token = '' } = process.env

async function ask(command) {
  const answer = await fetch(`${url}/v1/exchange?target=memo`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
    body: command,
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(text)
  return text
}

const value = 'hello'
process.stdout.write(await ask(`set greeting 0 60 ${Buffer.byteLength(value)}\r\n${value}\r\n`))
process.stdout.write(await ask('get greeting\r\n'))
