-- Be the job that runs a build, or learn which one runs the same already: its id and worker, or nothing.
-- KEYS flight
-- ARGV id job_prefix retention
local other = redis.call('GET', KEYS[1])
if other and other ~= ARGV[1] then
  local r = redis.call('HMGET', ARGV[2] .. other, 'state', 'worker')
  if r[1] == 'running' then return {other, r[2] or ''} end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
return {}
