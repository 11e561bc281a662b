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

-- Where a job stands among those of its project: by priority (0 first), then age.
local function standing(job)
  local r = redis.call('HMGET', job, 'project', 'queue', 'priority', 'created')
  return r[1], r[2], tonumber(r[3] or '5') * 1e13 + math.floor(tonumber(r[4]) * 1000 + 0.5)
end

local function withdraw(queue, project, id)
  redis.call('ZREM', queue .. ':' .. project, id)
  if redis.call('EXISTS', queue .. ':' .. project) == 0 then redis.call('SREM', queue, project) end
end

-- Enter the queued state. Its message is due to be sent at some time.
local function enqueue(job, queued, id, due)
  local project, _, rank = standing(job)
  redis.call('HSET', job, 'queued', string.format('%.3f', now_ms() / 1000))
  redis.call('HDEL', job, 'placed')
  redis.call('ZADD', queued, due, id)
  redis.call('ZADD', PROJECT .. project .. ':queued', rank, id)
end

-- Leave the queued state.
local function dequeue(job, queued, id)
  local project, queue = standing(job)
  local placed = redis.call('HGET', job, 'placed')
  redis.call('ZREM', queued, id)
  redis.call('ZREM', PROJECT .. project .. ':queued', id)
  withdraw(QUEUE .. queue, project, id)
  if placed then withdraw(QUEUE .. OWN .. placed, project, id) end
end

local offer -- in placing.lua

-- Those that wait for this job to stop running may be taken from now on.
local function wake(job, id, queued)
  for _, one in ipairs(redis.call('SMEMBERS', job .. ':waiting')) do
    local key = string.sub(job, 1, -#id - 1) .. one
    if redis.call('HGET', key, 'state') == 'queued' then
      redis.call('HDEL', key, 'not_before')
      redis.call('ZADD', queued, 'XX', 'LT', now_ms(), one)
      offer(key, one)
    end
  end
  redis.call('DEL', job .. ':waiting')
end

-- How many jobs of a project may run at once; '' stands for those projects that have no limit of their own.
local function may_run(max_running, project)
  return max_running[project] or max_running['']
end

-- Leave the running state: no lease, no place on the worker. A project that ran as many jobs as it may has messages that
-- came to nothing: the first of its jobs is sent again at once.
local function release(job, running, queued, workers_jobs_prefix, id, max_running)
  local r = redis.call('HMGET', job, 'worker', 'project', 'queue')
  redis.call('ZREM', running, id)
  wake(job, id, queued)
  if not r[2] then return end
  if r[1] then redis.call('SREM', workers_jobs_prefix .. r[1] .. ':jobs', id) end
  local project = PROJECT .. r[2]
  local full = redis.call('SCARD', project .. ':running') >= may_run(cjson.decode(max_running), r[2])
  redis.call('SREM', project .. ':running', id)
  if not full then return end
  for _, line in ipairs({project .. ':queued', QUEUE .. r[3] .. ':' .. r[2]}) do
    local first = redis.call('ZRANGE', line, 0, 0)[1]
    if first then redis.call('ZADD', queued, 'XX', 'LT', now_ms(), first) end
  end
end

-- A message to a webhook is due: the id of the job that it is about, or of a test. The oldest go when too many wait.
local function make_due(webhook, id, now, retention)
  local due = WEBHOOK .. webhook .. ':due'
  redis.call('ZADD', due, now, id)
  redis.call('ZREMRANGEBYRANK', due, 0, -1001)
  redis.call('EXPIRE', due, retention)
  redis.call('ZADD', DELIVERIES, 'LT', now, webhook)
end

local function contains(list, wanted)
  for _, one in ipairs(list) do
    if one == wanted then return true end
  end
end

-- Who subscribed to such ends is told of this one.
local function tell(job, id, state, now, retention)
  local r = redis.call('HMGET', job, 'project', 'kind')
  if not r[1] then return end
  local webhooks = redis.call('HGETALL', WEBHOOKS .. r[1])
  for i = 1, #webhooks, 2 do
    local subscribed = cjson.decode(webhooks[i + 1])
    if contains(subscribed.kinds, r[2]) and contains(subscribed.states, state) then
      make_due(webhooks[i], id, now, retention)
    end
  end
end

-- Enter a final state; what travelled with the job is deleted.
local function finish(job, events, credentials, now, id, state, err, retention)
  redis.call('HSET', job, 'state', state, 'finished', string.format('%.3f', now / 1000))
  if err ~= '' then redis.call('HSET', job, 'error', err) else redis.call('HDEL', job, 'error') end
  emit(job, events, now, redis.call('HGET', job, 'attempt'), state_event(state, '', err))
  redis.call('DEL', credentials)
  keep(job, events, retention)
  tell(job, id, state, now, retention)
end

-- Count what an object in the store takes, '-' while it is being removed, '' when it is gone; returns their sum.
-- The sum is kept in the field ''.
local function account(stored, path, size)
  local sum = tonumber(redis.call('HGET', stored, '') or '')
  if not sum then
    sum = 0
    for _, value in ipairs(redis.call('HVALS', stored)) do sum = sum + (tonumber(value) or 0) end
  end
  sum = sum - (tonumber(redis.call('HGET', stored, path) or '') or 0) + (tonumber(size) or 0)
  if size == '' then redis.call('HDEL', stored, path) else redis.call('HSET', stored, path, size) end
  redis.call('HSET', stored, '', string.format('%.0f', sum))
  if redis.call('HLEN', stored) == 1 then redis.call('DEL', stored) end
  return sum
end
