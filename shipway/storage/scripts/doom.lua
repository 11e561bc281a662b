-- Choose objects whose time is over; from now on, until they are forgotten, nobody finds, keeps or writes them.
-- KEYS expiring
-- ARGV limit
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms() / 1000, 'LIMIT', 0, ARGV[1])
for _, path in ipairs(due) do account(PROJECT .. path:match('^projects/([^/]+)/') .. ':stored', path, '-') end
return due
