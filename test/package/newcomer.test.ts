/** How far it is from nothing to an answer. */
import { expect, inject, test } from 'vitest'
import { walkNewcomersPath } from '../support/newcomers-path.ts'
import { findService } from '../support/services.ts'
import { refusingPort } from '../support/test-server.ts'

/** What is promised: commands that are typed, and seconds of a machine. */
const COMMANDS_MAX = 5
const SECONDS_MAX = 60
/** Beside other tests a machine is not one's own. */
const BESIDE_OTHERS = 2

test('a newcomer comes from an empty folder to a GET of Redis in few commands, and soon', {
  timeout: 150_000,
}, async ({ skip }) => {
  const redis = await findService('redis', skip)
  const { tarball } = inject('packed')
  const { commands, seconds, stdout, stderr } = await walkNewcomersPath({
    tarball,
    redis,
    servicePort: await refusingPort(),
  })
  console.log(`from nothing to a GET over REST: ${seconds.toFixed(1)} s, ${commands.length} commands`)
  expect(stdout, stderr).toMatch(/\+OK\r\n\$5\r\nhello\r\n$/)
  expect(commands.length).toBeLessThanOrEqual(COMMANDS_MAX)
  expect(seconds).toBeLessThanOrEqual(SECONDS_MAX * BESIDE_OTHERS)
})
