/**
 * The atomic steps in Redis, as named Lua scripts. In the code and not in files of their own, so that they are there
 * wherever the compiled code runs.
 *
 * The marker of a collection's key base says whose entries these are: `<collection id>/<run>/<server's run id>`. Every
 * write asks for it first, so whoever works for an older run, or on a Redis that was emptied, has no effect.
 */

export interface Script {
  name: string;
  lua: string;
}

/**
 * Puts entries in place. Of two events with one key the later wins; of the same time, the one whose value is greater
 * byte by byte: so the result does not depend on the order, and repeats do no harm.
 *
 * KEYS  1 marker, 2 index, 3.. the entries' keys
 * ARGV  1 the marker's right value; then for each entry: its canonical key, its expiry in microseconds since 1970, its value
 * Answers nil when the marker is another or gone, otherwise { entries sent (expired ones are not), keys in the index }.
 */
export const applyEntries: Script = {
  name: 'harborwatchApplyEntries',
  lua: `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return nil end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function isLess(a, b) -- Lua's own comparison follows the server's locale
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local sent = 0
for i = 3, #KEYS do
  local at = (i - 3) * 3 + 2
  local member, expiry, value = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  if expiry > now then
    sent = sent + 1
    local known = tonumber(redis.call('ZSCORE', KEYS[2], member) or '-1')
    local wins = known < expiry
    if known == expiry then
      local present = redis.call('GET', KEYS[i])
      wins = not present or isLess(present, value)
    end
    if wins then
      redis.call('SET', KEYS[i], value)
      redis.call('PEXPIREAT', KEYS[i], string.format('%.0f', math.ceil(expiry / 1000)))
      redis.call('ZADD', KEYS[2], ARGV[at + 1], member)
    end
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now))
return { sent, redis.call('ZCARD', KEYS[2]) }`,
};

/**
 * Makes a key base the collection's own.
 *
 * KEYS  1 marker, 2 index
 * ARGV  1 collection id, 2 the marker's new value, 3 the marker's value while it is being cleared
 * Answers 1 when it is the collection's, and 0 when another's entries must be cleared first; then ask again.
 */
export const claimKeyBase: Script = {
  name: 'harborwatchClaimKeyBase',
  lua: `
local present = redis.call('GET', KEYS[1]) or ''
local isOwn = string.sub(present, 1, #ARGV[1] + 1) == ARGV[1] .. '/' and present ~= ARGV[3]
if isOwn or redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('SET', KEYS[1], ARGV[2])
  return 1
end
redis.call('SET', KEYS[1], ARGV[3])
return 0`,
};

/**
 * Gives a removed collection's key base free, unless another collection has it already.
 *
 * KEYS  1 marker, 2 index
 * ARGV  1 collection id, 2 the marker's value while it is being cleared
 * Answers 1 when nothing of the collection is left, and 0 when its entries must be cleared first; then ask again.
 */
export const releaseKeyBase: Script = {
  name: 'harborwatchReleaseKeyBase',
  lua: `
local present = redis.call('GET', KEYS[1])
if present and string.sub(present, 1, #ARGV[1] + 1) ~= ARGV[1] .. '/' then return 1 end
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('DEL', KEYS[1])
  return 1
end
redis.call('SET', KEYS[1], ARGV[2])
return 0`,
};

/**
 * Deletes entries while a key base is being cleared.
 *
 * KEYS  1 marker, 2 index, 3.. the entries' keys
 * ARGV  1 the marker's value while it is being cleared; then the entries' canonical keys
 * Answers 1, or 0 when somebody else has the key base by now and nothing was deleted.
 */
export const clearEntries: Script = {
  name: 'harborwatchClearEntries',
  lua: `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for i = 3, #KEYS do
  redis.call('UNLINK', KEYS[i])
  redis.call('ZREM', KEYS[2], ARGV[i - 1])
end
return 1`,
};

/**
 * Reads a page of the index, by expiry and then by key. The position's own key is put where it stood for the length of
 * the script, so that the page goes on there even when that entry has moved or gone.
 *
 * KEYS  1 index
 * ARGV  1 now in microseconds, 2 limit, 3 the position's expiry or '', 4 the position's key
 * Answers key, expiry, key, expiry ...
 */
export const pageOfIndex: Script = {
  name: 'harborwatchPageOfIndex',
  lua: `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
local start = 0
if ARGV[3] ~= '' then
  local present = redis.call('ZSCORE', KEYS[1], ARGV[4])
  redis.call('ZADD', KEYS[1], ARGV[3], ARGV[4])
  start = redis.call('ZRANK', KEYS[1], ARGV[4]) + 1
  if not present then
    redis.call('ZREM', KEYS[1], ARGV[4])
    start = start - 1
  elseif tonumber(present) ~= tonumber(ARGV[3]) then
    redis.call('ZADD', KEYS[1], present, ARGV[4])
    if tonumber(present) > tonumber(ARGV[3]) then start = start - 1 end
  end
end
return redis.call('ZRANGE', KEYS[1], start, start + ARGV[2] - 1, 'WITHSCORES')`,
};
