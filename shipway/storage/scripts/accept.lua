-- Write the record of a new job, unless its idempotency key already made one.
-- Returns the record, what the key made before, or -1 when the project has as many queued jobs as it may.
-- KEYS job events jobs queued credentials idempotency project_queued
-- ARGV id retention resend_ms idempotency_value sealed_credentials job_prefix max_jobs deadline_ms max_queued field value …
local id, retention, resend = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
-- Sent again after a lost answer: it is there already.
if redis.call('EXISTS', KEYS[1]) == 1 then return redis.call('HGETALL', KEYS[1]) end
local now = now_ms()
-- Redis hung, and whoever asked was told that nothing was accepted.
if now > tonumber(ARGV[8]) then return redis.error_reply('LATE the request was given up') end
if ARGV[4] ~= '' then
  local made = redis.call('GET', KEYS[6])
  if made then return made end
end
if redis.call('ZCARD', KEYS[7]) >= tonumber(ARGV[9]) then return -1 end
if ARGV[4] ~= '' then redis.call('SET', KEYS[6], ARGV[4], 'EX', 86400) end
redis.call('HSET', KEYS[1], 'id', id, 'state', 'queued', 'attempt', 0, 'losses', 0, 'events', 0, 'sent', 1,
  'created', string.format('%.3f', now / 1000), unpack(ARGV, 10))
emit(KEYS[1], KEYS[2], now, 0, state_event('queued'))
if ARGV[5] ~= '' then redis.call('SET', KEYS[5], ARGV[5], 'EX', retention) end
redis.call('ZADD', KEYS[3], now, id)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - retention * 1000)
-- Only so many ended jobs of a project stay; the oldest go first.
local surplus = redis.call('ZCARD', KEYS[3]) - tonumber(ARGV[7])
if surplus > 0 then
  for _, old in ipairs(redis.call('ZRANGE', KEYS[3], 0, math.min(surplus, 20) - 1)) do
    local state = redis.call('HGET', ARGV[6] .. old, 'state')
    if state ~= 'queued' and state ~= 'running' then
      redis.call('DEL', ARGV[6] .. old, ARGV[6] .. old .. ':events')
      redis.call('ZREM', KEYS[3], old)
    end
  end
end
enqueue(KEYS[1], KEYS[4], id, now)
local _, patience = offer(KEYS[1], id)
redis.call('ZADD', KEYS[4], now + (patience or resend), id)
keep(KEYS[1], KEYS[2], retention)
return redis.call('HGETALL', KEYS[1])
