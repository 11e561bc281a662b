-- Take a queued job: the one step that makes an attempt. A message that lost its meaning gets 0.
-- KEYS job events queued running worker_jobs
-- ARGV id worker lease_ms retention nonce version
local id, worker, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local r = redis.call('HMGET', KEYS[1], 'state', 'not_before', 'claim', 'attempt', 'result', 'version')
local now = now_ms()
-- Sent again after a lost answer: it is claimed already.
if r[1] == 'running' and r[3] == ARGV[5] then return tonumber(r[4]) end
-- Newer workers know how to run it; their message is sent again.
if tonumber(r[6] or 1) > tonumber(ARGV[6]) then return 0 end
if r[1] ~= 'queued' or (r[2] and now < tonumber(r[2])) then return 0 end
local attempt = redis.call('HINCRBY', KEYS[1], 'attempt', 1)
redis.call('HSET', KEYS[1], 'state', 'running', 'worker', worker, 'started', string.format('%.3f', now / 1000),
  'claim', ARGV[5])
redis.call('HDEL', KEYS[1], 'error', 'not_before', 'sent')
-- An attempt that built the image leaves its steps: the next one may have nothing but the push to do.
if not (r[5] and string.find(r[5], '"image_id":"', 1, true)) then redis.call('HDEL', KEYS[1], 'steps') end
redis.call('ZREM', KEYS[3], id)
redis.call('ZADD', KEYS[4], now + lease, id)
redis.call('SADD', KEYS[5], id)
emit(KEYS[1], KEYS[2], now, attempt, state_event('running', worker))
keep(KEYS[1], KEYS[2], tonumber(ARGV[4]))
return attempt
