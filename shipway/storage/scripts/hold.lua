-- Before an object is written: let it live for a while, whether it gets finished or not. Returns what its project stores
-- and whether the object is there already; nothing when it is just being removed.
-- KEYS stored expiring
-- ARGV path seconds
local size = redis.call('HGET', KEYS[1], ARGV[1])
if size == '-' then return {} end
redis.call('ZADD', KEYS[2], 'GT', now_ms() / 1000 + tonumber(ARGV[2]), ARGV[1])
local sum = redis.call('HGET', KEYS[1], '')
return {sum or '0', size and 1 or 0}
