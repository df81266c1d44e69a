/**
 * `npm run load [-- --seconds N] [--only ATTACKER] [--another]`: fifty quiet callers alone, and then beside everybody who would stop the service, which has
 * 1,024 descriptors, 2 GiB of heap and a log that nobody reads. Exit code 1 where the quiet ones are not served as before,
 * or where the service does not let go of the memory. `--another`: the quiet ones ask a service beside the one that is attacked,
 * which shows what the machine itself does to them.
 */
import { parseArgs } from 'node:util'
import { underLoad } from './load.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    only: { type: 'string' },
    another: { type: 'boolean' },
  },
})
const { seconds, only, another } = values
const { lines, missed } = await underLoad({
  forMs: Number(seconds) * 1_000,
  ...(only === undefined ? {} : { only }),
  asked: another ? 'another' : 'attacked',
})
for (const line of lines) console.log(line)
for (const line of missed) console.log(`MISSED: ${line}`)
process.exitCode = missed.length > 0 ? 1 : 0
