-- Append events of the attempt that runs just now, and set record fields with them. Fenced: -1.
-- A batch carries a number, so that one sent again after a lost answer counts once.
-- KEYS job events
-- ARGV attempt batch count body … field value …
if not holds(KEYS[1], ARGV[1]) then return -1 end
local batch = ARGV[1] .. ':' .. ARGV[2]
if redis.call('HGET', KEYS[1], 'batch') == batch then return tonumber(redis.call('HGET', KEYS[1], 'events')) end
local now, count, seq = now_ms(), tonumber(ARGV[3]), 0
for i = 4, 3 + count do seq = emit(KEYS[1], KEYS[2], now, ARGV[1], ARGV[i]) end
redis.call('HSET', KEYS[1], 'batch', batch, unpack(ARGV, 4 + count))
return seq
