-- Let a webhook be taken again, when the first of what is due to it is.
-- KEYS deliveries due
-- ARGV id
redis.call('DEL', WEBHOOK .. ARGV[1] .. ':taken')
local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if first[2] then
  redis.call('ZADD', KEYS[1], 'XX', first[2], ARGV[1])
else
  redis.call('ZREM', KEYS[1], ARGV[1])
end
