-- Hand a running job back to the queue, fenced by its attempt; due again after a delay.
-- A loss counts towards the limit of attempts; a hand-back at shutdown doesn't.
-- KEYS job events running queued
-- ARGV id attempt delay_ms counts error worker_prefix max_running
if not holds(KEYS[1], ARGV[2]) then return 0 end
local now = now_ms()
release(KEYS[1], KEYS[3], KEYS[4], ARGV[6], ARGV[1], ARGV[7])
redis.call('HSET', KEYS[1], 'state', 'queued', 'not_before', now + tonumber(ARGV[3]))
redis.call('HINCRBY', KEYS[1], 'losses', tonumber(ARGV[4]))
enqueue(KEYS[1], KEYS[4], ARGV[1], now + tonumber(ARGV[3]))
if tonumber(ARGV[3]) == 0 then offer(KEYS[1], ARGV[1]) end
emit(KEYS[1], KEYS[2], now, ARGV[2], state_event('queued', '', ARGV[5]))
return 1
