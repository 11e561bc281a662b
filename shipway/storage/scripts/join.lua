-- Hand a running job back until another one stops running, fenced by its attempt (0: fenced, nothing written).
-- KEYS job events running queued other others_waiting
-- ARGV id attempt other_id longest_ms body worker_prefix max_running retention
if not holds(KEYS[1], ARGV[2]) then return 0 end
local now, delay = now_ms(), 0
if redis.call('HGET', KEYS[5], 'state') == 'running' then
  delay = tonumber(ARGV[4])
  redis.call('SADD', KEYS[6], ARGV[1])
  redis.call('EXPIRE', KEYS[6], ARGV[8])
end
release(KEYS[1], KEYS[3], KEYS[4], ARGV[6], ARGV[1], ARGV[7])
redis.call('HSET', KEYS[1], 'state', 'queued', 'not_before', now + delay, 'waited_for', ARGV[3])
enqueue(KEYS[1], KEYS[4], ARGV[1], now + delay)
if delay == 0 then offer(KEYS[1], ARGV[1]) end
emit(KEYS[1], KEYS[2], now, ARGV[2], ARGV[5])
emit(KEYS[1], KEYS[2], now, ARGV[2], state_event('queued'))
return 1
