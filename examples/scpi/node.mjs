// Asks an instrument who it is and what it measures, by fetch.
const { SOCKPOOL_URL: url = 'http://127.0.0.1:7070', SOCKPOOL_TOKEN: token = '' } = process.env

async function ask(command) {
  const answer = await fetch(`${url}/v1/exchange?target=meter`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
    body: `${command}\n`,
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(text)
  return text.trim()
}

console.log(await ask('*IDN?'))
console.log(await ask('MEAS:VOLT:DC?'))
