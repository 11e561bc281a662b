-- What is to be sent now (id and queue, in turns), and whose lease ended. A job's first message goes to the worker that the
-- job is placed at, the next ones to all. Each time it is put off twice as long, for a long queue is the likelier reason
-- than a lost message.
-- KEYS queued running
-- ARGV resend_ms limit retention job_prefix
local now = now_ms()
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, tonumber(ARGV[2]))
local send = {}
for _, id in ipairs(due) do
  if redis.call('HGET', ARGV[4] .. id, 'state') == 'queued' then
    local sent = redis.call('HINCRBY', ARGV[4] .. id, 'sent', 1)
    local queue, patience
    if sent == 1 then
      queue, patience = offer(ARGV[4] .. id, id)
    else
      queue = offer_to_all(ARGV[4] .. id, id)
    end
    redis.call('ZADD', KEYS[1], now + (patience or tonumber(ARGV[1]) * 2 ^ math.min(math.max(sent - 2, 0), 4)), id)
    redis.call('EXPIRE', ARGV[4] .. id, tonumber(ARGV[3]))
    redis.call('EXPIRE', ARGV[4] .. id .. ':events', tonumber(ARGV[3]))
    send[#send + 1] = id
    send[#send + 1] = queue
  else
    redis.call('ZREM', KEYS[1], id)
  end
end
local lost = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, tonumber(ARGV[2]))
return {send, lost}
