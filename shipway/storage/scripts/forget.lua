-- An object is gone.
-- KEYS stored expiring
-- ARGV path
account(KEYS[1], ARGV[1], '')
redis.call('ZREM', KEYS[2], ARGV[1])
