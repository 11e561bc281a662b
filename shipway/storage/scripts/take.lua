-- Take webhooks that something is due to. Whoever takes one and dies holds it up for a while only.
-- KEYS deliveries
-- ARGV hold_ms count
local now, hold, taken = now_ms(), tonumber(ARGV[1]), {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[2])) do
  redis.call('ZADD', KEYS[1], now + hold, id)
  if redis.call('SET', WEBHOOK .. id .. ':taken', 1, 'NX', 'PX', hold) then taken[#taken + 1] = id end
end
return taken
