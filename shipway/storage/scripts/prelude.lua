-- What every script shares. Time is Redis's own, in milliseconds, so no machine's clock matters.
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Append one event. Numbers count up by one under the record, so they have no gaps.
local function emit(job, events, now, attempt, body)
  local seq = redis.call('HINCRBY', job, 'events', 1)
  redis.call('XADD', events, seq .. '-0', 'at', string.format('%.3f', now / 1000), 'attempt', attempt, 'body', body)
  return seq
end

local function state_event(state, worker, err)
  local body = {type = 'state', state = state}
  if worker and worker ~= '' then body.worker = worker end
  if err and err ~= '' then body.error = cjson.decode(err) end
  return cjson.encode(body)
end

-- A write counts only from the attempt that runs just now.
local function holds(job, attempt)
  local r = redis.call('HMGET', job, 'state', 'attempt')
  return r[1] == 'running' and r[2] == attempt
end

local function keep(job, events, retention)
  redis.call('EXPIRE', job, retention)
  redis.call('EXPIRE', events, retention)
end

-- Leave the running state: no lease, no place on the worker.
local function release(job, running, workers_jobs_prefix, id)
  redis.call('ZREM', running, id)
  local worker = redis.call('HGET', job, 'worker')
  if worker then redis.call('SREM', workers_jobs_prefix .. worker .. ':jobs', id) end
end

-- Enter a final state; what travelled with the job is deleted.
local function finish(job, events, credentials, now, id, state, err, retention)
  redis.call('HSET', job, 'state', state, 'finished', string.format('%.3f', now / 1000))
  if err ~= '' then redis.call('HSET', job, 'error', err) else redis.call('HDEL', job, 'error') end
  emit(job, events, now, redis.call('HGET', job, 'attempt'), state_event(state, '', err))
  redis.call('DEL', credentials)
  keep(job, events, retention)
end
