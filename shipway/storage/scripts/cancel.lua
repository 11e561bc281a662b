-- Cancel: at once when queued, by asking the worker when running; a final job stays as it is.
-- KEYS job events queued credentials
-- ARGV id retention
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return '' end
if state == 'queued' then
  dequeue(KEYS[1], KEYS[3], ARGV[1])
  redis.call('HSET', KEYS[1], 'cancel', 1)
  finish(KEYS[1], KEYS[2], KEYS[4], now_ms(), ARGV[1], 'cancelled', '', tonumber(ARGV[2]))
elseif state == 'running' then
  redis.call('HSET', KEYS[1], 'cancel', 1)
end
return state
