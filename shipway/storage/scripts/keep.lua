-- Let those objects that are there live for a while; returns the others, by their places in ARGV from 0.
-- KEYS stored expiring
-- ARGV seconds path...
local until_, missing = now_ms() / 1000 + tonumber(ARGV[1]), {}
for i = 2, #ARGV do
  local size = redis.call('HGET', KEYS[1], ARGV[i])
  if size and size ~= '-' then redis.call('ZADD', KEYS[2], 'GT', until_, ARGV[i])
  else missing[#missing + 1] = i - 2 end
end
return missing
