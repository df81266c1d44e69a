/**
 * What a start says of its permits of one target, and what it gets for an answer: one step at the engine, by the engine's
 * own clock. A word is a claim, no difference: said twice, or lost with its answer, it does no harm.
 *
 *   sockpool:{fleet}:permits:<target>      a hash
 *     made                       when it was made (ms), or the engine was back; for one TTL from then on it is not known what is
 *                                missing in it
 *     <name>:<boot>:<number>     "seq until held base want wantUntil told promised promisedUntil fair fairSince"
 *
 *   seq            of its last word: an earlier one that comes late is refused
 *   until          when what it holds is free again (ms)
 *   held, base     permits; those that it had when it first spoke
 *   want, -Until   permits that its callers lack, and until when that is known
 *   told           when others were last told of it
 *   promised, -Until   permits that it gives back at once, or as soon as idle connections are closed
 *   fair, -Since   those that it gives back as leases end, being above its share while another is below
 */
import { LIMITS } from '../base/limits.ts'
import { type Script, scriptOf } from './script.ts'

const READ = `
local spoken, made, last = {}, nil, 0
local pairs_ = redis.call('HGETALL', KEYS[1])
for i = 1, #pairs_, 2 do
  if pairs_[i] == 'made' then
    made = tonumber(pairs_[i + 1])
  else
    local words = {}
    for word in string.gmatch(pairs_[i + 1], '%S+') do words[#words + 1] = tonumber(word) end
    if pairs_[i] == own and seq <= words[1] then
      return redis.error_reply('STALE a later word was heard already')
    end
    spoken[#spoken + 1] = { entry = pairs_[i], words = words, text = pairs_[i + 1] }
    last = math.max(last, words[2] - ttl - 1)
  end
end
last = math.max(last, made or 0)
-- The clock was set back by little: it stands still until it is there again, so that what others have ends later, and never earlier.
if now < last and last - now <= stepMs then now = last end
local heard, lapsed, ahead = 0, false, false
for _, one in ipairs(spoken) do
  local till, held = one.words[2], one.words[3]
  heard = math.max(heard, till - ttl)
  lapsed = lapsed or (till <= now and held > 0)
  ahead = ahead or till > now + ttl + 1
end
-- Where nobody was heard for so long the engine was away, or its clock has jumped: nobody has fallen silent, and what has
-- lapsed is in use. It is known again once all have spoken, as it is of a record that is new.
local begins = not made or made > now or ahead or (lapsed and now - heard >= quietMs)
if begins then
  made = now
  redis.call('HSET', KEYS[1], 'made', string.format('%.0f', now))
end
local row, others = nil, {}
for _, one in ipairs(spoken) do
  local _, till, held, base, want, wantTill, told, promised, promisedTill, fair, fairSince = unpack(one.words)
  local isOver = till <= now
  if till > now + ttl + 1 or (isOver and (begins or one.entry ~= own)) then
    redis.call('HDEL', KEYS[1], one.entry)
  else
    if begins then
      base = held
      local kept = string.gsub(one.text, '^(%d+ %d+ %d+) %d+', '%1 ' .. string.format('%.0f', held))
      redis.call('HSET', KEYS[1], one.entry, kept)
    end
    if wantTill <= now then want = 0 end
    if promisedTill <= now then promised = 0 end
    local read = { held = isOver and 0 or held, base = base, want = want, told = told, promised = promised,
      fair = fair, fairSince = fairSince }
    if one.entry == own then row = read else others[#others + 1] = read end
  end
end
local settles = now - made < ttl
`

/** What of the claim holds, and what is granted beyond it. */
const GRANT = `
local heldNow = row and row.held or 0
local share = math.floor(cap / (#others + 1))
local function shareOf(held) return held == 0 and math.max(1, share) or share end
local taken, wants, deficits, promisedByOthers, fairByOthers = 0, 0, 0, 0, 0
for _, other in ipairs(others) do
  taken = taken + other.held
  wants = wants + other.want
  deficits = deficits + math.max(0, math.min(other.want, shareOf(other.held) - other.held))
  promisedByOthers = promisedByOthers + other.promised
  if now - other.fairSince < promiseMs then fairByOthers = fairByOthers + other.fair end
end
local held = claim
if claim > heldNow then
  if settles then
    held = math.max(heldNow, math.min(claim, cap))
  else
    held = math.min(claim, heldNow + math.max(0, cap - taken - heldNow))
  end
end
local base = row and row.base or held
local free = cap - taken - held
local most = settles and math.max(0, base + chunk - held) or free
local reserved = math.max(shareOf(held) - held, free - deficits)
local got = math.max(0, math.min(lack, free, reserved, most))
local rounded = math.ceil(lack / chunk) * chunk
local more = math.max(0, math.min(math.max(rounded, lack + cold) - got, free - got - wants, most - got))
local want = math.max(0, lack - got - more)
held = held + got + more
free = free - got - more
`

/** What it is to give back. */
const YIELD = `
local need = math.max(0, wants - free - promisedByOthers)
local idle = math.min(need, pending + offer)
local needFair = math.max(0, deficits - free - promisedByOthers - fairByOthers)
local fairly = math.max(0, math.min(needFair, held - share))
local yield = math.min(held, math.max(idle, fairly))
local promised = math.min(yield, soon + offer)
local fair = yield - promised
local fairSince = row and row.fair > 0 and row.fairSince or now
`

const WRITE = `
local told = row and row.told or 0
if want > 0 and (want > row_want or now - told >= tellMs) then
  told = now
  redis.call('PUBLISH', channel, 'want ' .. target .. ' ' .. own)
end
if claim < heldNow and free > 0 and wants > 0 then
  redis.call('PUBLISH', channel, 'free ' .. target .. ' ' .. own)
end
-- The clock is cut to whole milliseconds, and nobody is to lose a part of one.
local words = { seq, now + ttl + 1, held, base, want, now + wantMs, told, promised, now + promiseMs, fair, fairSince }
for i, word in ipairs(words) do words[i] = string.format('%.0f', word) end
redis.call('HSET', KEYS[1], own, table.concat(words, ' '))
redis.call('PEXPIRE', KEYS[1], keepMs)
return { held, yield, wants, share, settles and 1 or 0 }
`

/** Answers: held, yield, what others want, the share of each, whether it settles. */
export const SETTLE: Script = scriptOf(
  'sockpoolSettle',
  1,
  `
local channel, target, own = ARGV[1], ARGV[2], ARGV[3]
local seq, ttl, cap, chunk, claim, pending, soon, offer, lack, cold = unpack(numbers(4))
local quietMs = ttl * ${1 - LIMITS.fleetRenewMs / LIMITS.fleetTtlMs}
local stepMs = ${LIMITS.fleetStepMs}
local wantMs, promiseMs, tellMs, keepMs = ${LIMITS.fleetWantMs}, ${LIMITS.fleetPromiseMs}, ${(LIMITS.fleetPollMs * 3) / 4}, ${LIMITS.fleetForgetMs}
${READ}
local row_want = row and row.want or 0
${GRANT}
${YIELD}
${WRITE}`,
)

/** Has everything that a start held be free. Answers: nothing of interest. */
export const GIVE_ALL: Script = scriptOf(
  'sockpoolGiveAll',
  1,
  `
local channel, target, own = ARGV[1], ARGV[2], ARGV[3]
if redis.call('HDEL', KEYS[1], own) == 1 then
  redis.call('PUBLISH', channel, 'free ' .. target .. ' ' .. own)
end
return 1`,
)

/** Answers: start, permits, start, permits … of those whose word still holds. */
export const HELD: Script = scriptOf(
  'sockpoolHeld',
  1,
  `
local rows, found = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #rows, 2 do
  local till, held = string.match(rows[i + 1], '^%d+ (%d+) (%d+) ')
  if till and tonumber(till) > now then
    found[#found + 1] = rows[i]
    found[#found + 1] = tonumber(held)
  end
end
return found`,
)
