// Sets a key of Redis and gets it: each command is one request by fetch.
const { SOCKPOOL_URL: url = 'http://127.0.0.1:7070', SOCKPOOL_TOKEN: token = '' } = process.env

async function ask(...words) {
  const strings = words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
  const answer = await fetch(`${url}/v1/exchange?target=cache`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
    body: `*${words.length}\r\n${strings.join('')}`,
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(text)
  return text
}

process.stdout.write(await ask('SET', 'greeting', 'hello', 'EX', '60'))
process.stdout.write(await ask('GET', 'greeting'))
