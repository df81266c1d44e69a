/**
 * Who is there, in four keys:
 *
 *   sockpool:{fleet}:members    a hash: name → {boot, epoch, seenAt, url, version, startedAt, leases, connections}
 *   sockpool:{fleet}:alive      name → when its word ends (ms), as scores
 *   sockpool:{fleet}:starts     <boot>:<name> → when it was last seen (ms), as scores
 *   sockpool:{fleet}:changes    a number that grows whenever somebody comes or goes
 *
 * `epoch` is when a start came (ms, by the engine's clock): of two under one name the later one is the instance.
 */
import { LIMITS } from '../base/limits.ts'
import { type Script, scriptOf } from './script.ts'

export const MEMBER_KEYS: readonly string[] = ['members', 'alive', 'starts', 'changes']

const CHANGED = `
local function changed()
  if redis.call('EXISTS', KEYS[4]) == 0 then redis.call('SET', KEYS[4], string.format('%.0f', now)) end
  redis.call('INCR', KEYS[4])
  redis.call('PUBLISH', channel, 'members')
end
`

/**
 * Joins (epoch 0; said again where the answer was lost), or says that it is still there. Answers: `replaced`, `full`, or
 * `present`, its epoch and the number of changes, and behind them, where that is not the number that it knows: all members as
 * JSON, and a list of all starts.
 */
export const PRESENT: Script = scriptOf(
  'sockpoolPresent',
  4,
  `
local channel, name, boot, known, facts = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local epoch, ttl = unpack(numbers(6))
${CHANGED}
local before = redis.call('HGET', KEYS[1], name)
if before then before = cjson.decode(before) end
local isOther = before and before.boot ~= boot
if isOther and epoch > 0 and (before.epoch > epoch or (before.epoch == epoch and before.boot > boot)) then
  return { 'replaced' }
end
-- Its join was heard, and the answer to it was not.
local isKnown = epoch == 0 and redis.call('ZSCORE', KEYS[3], boot .. ':' .. name)
if isKnown and isOther then return { 'replaced' } end
if isKnown and before then epoch = before.epoch end
local news = false
-- The clock was set back: nobody's word ends later than one that is said now.
for _, ahead in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. string.format('%.0f', now + ttl), '+inf', 'LIMIT', 0, 100)) do
  redis.call('ZADD', KEYS[2], now + ttl, ahead)
end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 100)) do
  if gone ~= name then
    redis.call('ZREM', KEYS[2], gone)
    redis.call('HDEL', KEYS[1], gone)
    news = true
  end
end
if not before and redis.call('HLEN', KEYS[1]) >= ${LIMITS.fleetInstancesMax} then return { 'full' } end
if epoch == 0 then
  epoch = now
  if isOther and before.epoch >= epoch then epoch = before.epoch + 1 end
end
local member = cjson.decode(facts)
member.boot, member.epoch, member.seenAt = boot, epoch, now
redis.call('HSET', KEYS[1], name, cjson.encode(member))
redis.call('ZADD', KEYS[2], now + ttl, name)
redis.call('ZADD', KEYS[3], now, boot .. ':' .. name)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - ${LIMITS.fleetForgetMs} - ttl)
if news or not before or isOther then changed() end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ${LIMITS.fleetForgetMs} + ttl) end
local version = redis.call('GET', KEYS[4])
if not version then
  changed()
  version = redis.call('GET', KEYS[4])
end
if version == known then return { 'present', epoch, version } end
local members = redis.call('HGETALL', KEYS[1])
return { 'present', epoch, version, members, redis.call('ZRANGE', KEYS[3], 0, -1) }`,
)

/** Says that it is gone; another start under its name stays. Answers: nothing of interest. */
export const LEAVE: Script = scriptOf(
  'sockpoolLeave',
  4,
  `
local channel, name, boot = ARGV[1], ARGV[2], ARGV[3]
${CHANGED}
local before = redis.call('HGET', KEYS[1], name)
if before and cjson.decode(before).boot == boot then
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
  changed()
end
return 1`,
)
