-- End a job, fenced by its attempt (0: fenced, nothing written).
-- KEYS job events running credentials queued
-- ARGV id attempt state error retention worker_prefix max_running
if not holds(KEYS[1], ARGV[2]) then return 0 end
release(KEYS[1], KEYS[3], KEYS[5], ARGV[6], ARGV[1], ARGV[7])
finish(KEYS[1], KEYS[2], KEYS[4], now_ms(), ARGV[1], ARGV[3], ARGV[4], tonumber(ARGV[5]))
return 1
