-- Take a queued job: the one step that makes an attempt. Returns its id and the attempt, or nothing.
-- Whose turn is it? The project that runs least, among equals the one served longest ago; of its jobs the first by
-- priority and age, or the one that the message names if it is of that priority too. The first queue goes first.
-- KEYS queued running worker_jobs turns
-- Newer workers know how to run what has a newer version: its project is passed over here.
-- ARGV worker lease_ms retention nonce job_prefix named max_running version queue …
local worker, lease, nonce, named, max_running = ARGV[1], tonumber(ARGV[2]), ARGV[4], ARGV[6], tonumber(ARGV[7])
local now = now_ms()

local function job_key(id) return ARGV[5] .. id end

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

local function whose_turn(queue, passed_over)
  local best
  for _, project in ipairs(redis.call('SMEMBERS', queue)) do
    local runs = redis.call('SCARD', PROJECT .. project .. ':running')
    local turn = tonumber(redis.call('HGET', KEYS[4], project) or '0')
    local better = not best or runs < best.runs
      or (runs == best.runs and (turn < best.turn or (turn == best.turn and project < best.project)))
    if runs < max_running and better and not passed_over[project] then best = {project = project, runs = runs, turn = turn} end
  end
  return best and best.project
end

local function next_of(queue)
  local passed_over = {}
  local project = whose_turn(queue, passed_over)
  while project do
    local line = queue .. ':' .. project
    local first = redis.call('ZRANGE', line, 0, 0, 'WITHSCORES')
    local rank = redis.call('ZSCORE', line, named)
    local equal = rank and math.floor(tonumber(rank) / 1e13) == math.floor(tonumber(first[2]) / 1e13)
    local id = equal and named or first[1]
    if too_new(id) then
      passed_over[project] = true
    elseif takeable(queue, project, id) then
      return id, project
    end
    project = whose_turn(queue, passed_over)
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
  return {id, attempt}
end

-- Sent again after a lost answer: it is claimed already.
for _, id in ipairs(redis.call('SMEMBERS', KEYS[3])) do
  local r = redis.call('HMGET', job_key(id), 'claim', 'attempt')
  if r[1] == nonce then return {id, tonumber(r[2])} end
end
for i = 9, #ARGV do
  local id, project = next_of(QUEUE .. ARGV[i])
  if id then return take(id, project) end
end
return {}
