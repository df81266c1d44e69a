/** A script that runs at the engine in one step, and what all of them begin with. */

export type Script = {
  /** The method of the client that runs it. */
  readonly name: string
  /** How many of the words behind it are keys. */
  readonly keys: number
  readonly lua: string
}

/** The engine's clock in milliseconds, and numbers out of arguments. */
const PRELUDE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function numbers(first)
  local found = {}
  for i = first, #ARGV do found[#found + 1] = tonumber(ARGV[i]) end
  return found
end
`

export function scriptOf(name: string, keys: number, body: string): Script {
  return { name, keys, lua: `${PRELUDE}${body}` }
}
