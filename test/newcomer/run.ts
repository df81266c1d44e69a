/** `npm run newcomer`: packs the checkout, walks a newcomer's path against the Redis at 6379, and says how long it took. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { walkNewcomersPath } from '../support/newcomers-path.ts'
import { pack } from '../support/packed-package.ts'
import { refusingPort } from '../support/test-server.ts'

const folder = await mkdtemp(join(tmpdir(), 'sockpool-newcomer-pack-'))
try {
  const { tarball } = await pack(folder)
  const redis = { host: '127.0.0.1', port: 6379 }
  const { commands, seconds, stdout } = await walkNewcomersPath({
    tarball,
    redis,
    servicePort: await refusingPort(),
  })
  console.log(stdout)
  console.log(JSON.stringify({ commands: commands.length, seconds: Number(seconds.toFixed(1)) }))
  if (!stdout.endsWith('$5\r\nhello\r\n')) process.exitCode = 1
} finally {
  await rm(folder, { recursive: true })
}
