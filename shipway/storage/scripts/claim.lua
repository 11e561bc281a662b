-- Take a queued job: the one step that makes an attempt. A message that lost its meaning gets 0.
-- KEYS job events queued running worker_jobs
-- ARGV id worker lease_ms retention
local id, worker, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local r = redis.call('HMGET', KEYS[1], 'state', 'not_before')
local now = now_ms()
if r[1] ~= 'queued' or (r[2] and now < tonumber(r[2])) then return 0 end
local attempt = redis.call('HINCRBY', KEYS[1], 'attempt', 1)
redis.call('HSET', KEYS[1], 'state', 'running', 'worker', worker, 'started', string.format('%.3f', now / 1000))
redis.call('HDEL', KEYS[1], 'steps', 'error', 'not_before', 'sent')
redis.call('ZREM', KEYS[3], id)
redis.call('ZADD', KEYS[4], now + lease, id)
redis.call('SADD', KEYS[5], id)
emit(KEYS[1], KEYS[2], now, attempt, state_event('running', worker))
keep(KEYS[1], KEYS[2], tonumber(ARGV[4]))
return attempt
