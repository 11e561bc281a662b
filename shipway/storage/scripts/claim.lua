-- Take a queued job: the one step that makes an attempt. Returns its record, or nothing.
-- Whose turn is it? The project that runs least, among equals the one served longest ago. Of its jobs the first by
-- priority; among equals one in this worker's own queue, which comes first; in a queue the one that the message names, or
-- else the oldest.
-- KEYS queued running worker_jobs turns
-- Newer workers know how to run what has a newer version: its project is passed over here.
-- ARGV worker lease_ms retention nonce job_prefix named max_running version queue …
local worker, lease, nonce, named, max_running = ARGV[1], tonumber(ARGV[2]), ARGV[4], ARGV[6], cjson.decode(ARGV[7])
local now, queues = now_ms(), {}
for i = 9, #ARGV do queues[#queues + 1] = QUEUE .. ARGV[i] end
local SOON = 1000 -- ms

local function job_key(id) return ARGV[5] .. id end

local function record(id) return redis.call('HGETALL', job_key(id)) end

-- A delay, an end or a lost record can leave a job on offer that nobody may take.
local function takeable(queue, project, id)
  local r = redis.call('HMGET', job_key(id), 'state', 'not_before')
  if r[1] == 'queued' and now >= tonumber(r[2] or '0') then return true end
  withdraw(queue, project, id)
  if r[1] ~= 'queued' then redis.call('ZREM', PROJECT .. project .. ':queued', id) end
  return false
end

local function too_new(id)
  return tonumber(redis.call('HGET', job_key(id), 'version') or 1) > tonumber(ARGV[8])
end

local function whose_turn(passed_over)
  local best
  for _, queue in ipairs(queues) do
    for _, project in ipairs(redis.call('SMEMBERS', queue)) do
      local runs = redis.call('SCARD', PROJECT .. project .. ':running')
      local turn = tonumber(redis.call('HGET', KEYS[4], project) or '0')
      local better = not best or runs < best.runs
        or (runs == best.runs and (turn < best.turn or (turn == best.turn and project < best.project)))
      if runs < may_run(max_running, project) and better and not passed_over[project] then
        best = {project = project, runs = runs, turn = turn}
      end
    end
  end
  return best and best.project
end

local function priority(rank) return math.floor(tonumber(rank) / 1e13) end

local function first_of(project)
  local best
  for _, queue in ipairs(queues) do
    local line = queue .. ':' .. project
    local first = redis.call('ZRANGE', line, 0, 0, 'WITHSCORES')
    if first[1] and (not best or priority(first[2]) < best.priority) then
      local rank = redis.call('ZSCORE', line, named)
      local equal = rank and priority(rank) == priority(first[2])
      best = {id = equal and named or first[1], queue = queue, priority = priority(first[2])}
    end
  end
  return best
end

local function next_job()
  local passed_over = {}
  local project = whose_turn(passed_over)
  while project do
    local first = first_of(project)
    if not first or too_new(first.id) then
      passed_over[project] = true
    elseif takeable(first.queue, project, first.id) then
      return first.id, project
    end
    project = whose_turn(passed_over)
  end
end

local function take(id, project)
  local key = job_key(id)
  dequeue(key, KEYS[1], id)
  local attempt = redis.call('HINCRBY', key, 'attempt', 1)
  local result = redis.call('HGET', key, 'result')
  redis.call('HSET', key, 'state', 'running', 'worker', worker, 'started', string.format('%.3f', now / 1000),
    'claim', nonce)
  redis.call('HDEL', key, 'error', 'not_before', 'sent')
  -- An attempt that built the image leaves its steps: the next one may have nothing but the push to do.
  if not (result and string.find(result, '"image_id":"', 1, true)) then redis.call('HDEL', key, 'steps') end
  redis.call('ZADD', KEYS[2], now + lease, id)
  redis.call('SADD', KEYS[3], id)
  redis.call('SADD', PROJECT .. project .. ':running', id)
  redis.call('HSET', KEYS[4], project, redis.call('HINCRBY', KEYS[4], '', 1))
  emit(key, key .. ':events', now, attempt, state_event('running', worker))
  keep(key, key .. ':events', tonumber(ARGV[3]))
  return record(id)
end

-- Sent again after a lost answer: it is claimed already.
for _, id in ipairs(redis.call('SMEMBERS', KEYS[3])) do
  if redis.call('HGET', job_key(id), 'claim') == nonce then return record(id) end
end
local id, project = next_job()
if not id then return {} end
-- The message was used up for another job, and where the named one's own worker reads, nobody else may.
if id ~= named then redis.call('ZADD', KEYS[1], 'XX', 'LT', now + SOON, named) end
return take(id, project)
