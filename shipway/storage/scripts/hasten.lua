-- Let objects end now, but for those that were kept since their ends were read; returns how many.
-- KEYS expiring
-- ARGV path end path end…
local count, now = 0, now_ms() / 1000
for i = 1, #ARGV, 2 do
  if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i]) or '') == tonumber(ARGV[i + 1]) then
    redis.call('ZADD', KEYS[1], now, ARGV[i])
    count = count + 1
  end
end
return count
