-- Before objects are written: let them live for a while, whether they get finished or not. Returns what their project
-- stores, then of each whether it is there already; nothing at all when one is just being removed.
-- KEYS stored expiring
-- ARGV seconds path...
local found = {redis.call('HGET', KEYS[1], '') or '0'}
for at = 2, #ARGV do
  local size = redis.call('HGET', KEYS[1], ARGV[at])
  if size == '-' then return {} end
  found[at] = size and 1 or 0
end
local ends = now_ms() / 1000 + tonumber(ARGV[1])
for at = 2, #ARGV do redis.call('ZADD', KEYS[2], 'GT', ends, ARGV[at]) end
return found
