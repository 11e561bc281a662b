-- Take one request off what a project may make; returns the milliseconds to wait when there is none left, else 0.
-- Source: the generic cell rate algorithm (ITU-T I.371). The key holds the time at which all is as if nobody had asked.
-- KEYS pace
-- ARGV per_second burst
local now, interval = now_ms(), 1000 / tonumber(ARGV[1])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now) + interval
local wait = full - now - interval * tonumber(ARGV[2])
if wait > 0 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.3f', full), 'PX', math.ceil(full - now) + 1)
return 0
