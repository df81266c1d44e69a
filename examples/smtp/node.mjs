// Sends a mail over a lease of a submission server, whose reader and writer are the library's own.
import { connectPool } from 'sockpool/client'

const { SOCKPOOL_URL: url = 'http://127.0.0.1:7070', SOCKPOOL_TOKEN: token = '' } = process.env
const pool = connectPool(url, { token })
const lease = await pool.lease('mail')

async function reply(code) {
  const text = String(await lease.reader.readFrame())
  process.stdout.write(text)
  if (!text.startsWith(code)) throw new Error(text)
}

try {
  lease.writer.write('MAIL FROM:<app@example.com>\r\nRCPT TO:<ada@example.org>\r\nDATA\r\n')
  for (const code of ['250', '250', '354']) await reply(code)
  lease.writer.write('Subject: Lunch\r\n\r\nAt noon?\r\n.\r\n')
  await reply('250')
} finally {
  const { outcome, reason } = await lease.release()
  console.log(outcome, reason)
  await pool.close()
}
