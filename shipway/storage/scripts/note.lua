-- Note what became of a message; ids grow with time, and the oldest go first.
-- KEYS log
-- ARGV id delivery retention length
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
if redis.call('HLEN', KEYS[1]) <= tonumber(ARGV[4]) then return end
local oldest = ARGV[1]
for _, id in ipairs(redis.call('HKEYS', KEYS[1])) do
  if id < oldest then oldest = id end
end
redis.call('HDEL', KEYS[1], oldest)
