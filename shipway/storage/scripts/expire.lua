-- Take back a job whose lease ended: queued again with a delay, or failed after its last attempt.
-- KEYS job events running queued credentials
-- ARGV id max_losses delay_ms error retention worker_prefix max_running
local now = now_ms()
local lease = redis.call('ZSCORE', KEYS[3], ARGV[1])
if not lease or tonumber(lease) > now then return '' end
local r = redis.call('HMGET', KEYS[1], 'state', 'cancel', 'attempt')
release(KEYS[1], KEYS[3], KEYS[4], ARGV[6], ARGV[1], ARGV[7])
if r[1] ~= 'running' then return '' end
local losses = redis.call('HINCRBY', KEYS[1], 'losses', 1)
if r[2] == '1' then
  finish(KEYS[1], KEYS[2], KEYS[5], now, ARGV[1], 'cancelled', '', tonumber(ARGV[5]))
  return 'cancelled'
elseif losses >= tonumber(ARGV[2]) then
  finish(KEYS[1], KEYS[2], KEYS[5], now, ARGV[1], 'failed', ARGV[4], tonumber(ARGV[5]))
  return 'failed'
end
redis.call('HSET', KEYS[1], 'state', 'queued', 'not_before', now + tonumber(ARGV[3]))
enqueue(KEYS[1], KEYS[4], ARGV[1], now + tonumber(ARGV[3]))
if tonumber(ARGV[3]) == 0 then offer(KEYS[1], ARGV[1]) end
emit(KEYS[1], KEYS[2], now, r[3], state_event('queued', '', ARGV[4]))
return 'queued'
