-- Renew a lease. -1: the lease is lost; 1: the job is to be cancelled; 0: go on.
-- KEYS job running
-- ARGV id attempt lease_ms
if not holds(KEYS[1], ARGV[2]) then return -1 end
redis.call('ZADD', KEYS[2], 'XX', now_ms() + tonumber(ARGV[3]), ARGV[1])
return tonumber(redis.call('HGET', KEYS[1], 'cancel') or '0')
