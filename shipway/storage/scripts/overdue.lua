-- The ids whose time has come. Queued jobs are put off, since the caller sends them now: each time twice as long,
-- for a long queue is the likelier reason than a lost message.
-- KEYS queued running
-- ARGV resend_ms limit retention job_prefix
local now = now_ms()
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, tonumber(ARGV[2]))
local send = {}
for _, id in ipairs(due) do
  if redis.call('HGET', ARGV[4] .. id, 'state') == 'queued' then
    local sent = math.min(redis.call('HINCRBY', ARGV[4] .. id, 'sent', 1), 5)
    redis.call('ZADD', KEYS[1], now + tonumber(ARGV[1]) * 2 ^ (sent - 1), id)
    offer(ARGV[4] .. id, id)
    redis.call('EXPIRE', ARGV[4] .. id, tonumber(ARGV[3]))
    redis.call('EXPIRE', ARGV[4] .. id .. ':events', tonumber(ARGV[3]))
    send[#send + 1] = id
  else
    redis.call('ZREM', KEYS[1], id)
  end
end
local lost = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, tonumber(ARGV[2]))
return {send, lost}
