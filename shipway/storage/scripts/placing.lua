-- Where a queued job is offered: first to the worker that it is placed at, later to all.

-- How many jobs wait in a queue.
local function waiting(queue)
  local jobs = 0
  for _, project in ipairs(redis.call('SMEMBERS', queue)) do
    jobs = jobs + redis.call('ZCARD', queue .. ':' .. project)
  end
  return jobs
end

-- The queue that a worker reads beside its own.
local function common_queue(worker)
  local pool = worker.pool or ''
  return pool == '' and EVERYBODY or POOL .. pool
end

-- The workers that take the jobs of a queue, in the order of a lineage: a hash of both gives each its place (rendezvous hashing), so a
-- worker that comes or goes changes nothing between the others. Also what all of them have to do, and can do at once.
local function ready_workers(queue, lineage)
  local ready, load, slots = {}, 0, 0
  for _, name in ipairs(redis.call('SMEMBERS', WORKERS)) do
    local said = redis.call('GET', WORKER .. name)
    local worker = said and cjson.decode(said)
    local takes = worker and worker.state == 'ready' and common_queue(worker) == queue
    if takes and redis.call('SISMEMBER', DRAINING, name) == 0 then
      local has = redis.call('SCARD', WORKER .. name .. ':jobs') + waiting(QUEUE .. OWN .. name)
      ready[#ready + 1] = {name = name, slots = worker.capacity, load = has, rank = redis.sha1hex(lineage .. ' ' .. name)}
      load, slots = load + has, slots + worker.capacity
    end
  end
  table.sort(ready, function(a, b) return a.rank < b.rank end)
  return ready, load, slots
end

-- The worker whose daemon has what a job goes on with: its own image, or that of the equal job that it awaited.
local function resumes_on(job, id)
  local r = redis.call('HMGET', job, 'result', 'waited_for')
  local built_on = r[1] and string.match(r[1], '"built_on":"([^"]+)"')
  if built_on or not r[2] then return built_on end
  return redis.call('HGET', string.sub(job, 1, -#id - 1) .. r[2], 'worker')
end

-- The first of the ready workers that has not more to do than one job in line for each that runs, or than its share and a
-- quarter; nil where there is none. Before all, the one on which the job can resume.
local function place(job, id)
  local r, resumed = redis.call('HMGET', job, 'lineage', 'queue'), resumes_on(job, id)
  if not (r[1] or resumed) then return end
  local ready, load, slots = ready_workers(r[2], r[1] or '')
  for _, worker in ipairs(ready) do
    if worker.name == resumed then return worker.name end
  end
  if not r[1] then return end
  for _, worker in ipairs(ready) do
    local share = math.ceil(1.25 * worker.slots * (load + 1) / slots)
    if worker.load < math.max(2 * worker.slots, share) then return worker.name end
  end
end

local function show(queue, project, id, rank)
  redis.call('SADD', queue, project)
  redis.call('ZADD', queue .. ':' .. project, rank, id)
end

-- From now on the worker that a queued job is placed at may take it, or any when it is placed at none.
-- Returns the name of the queue, and for how long (ms) it is that worker's alone.
function offer(job, id)
  local project, queue, rank = standing(job)
  local patience = tonumber(redis.call('HGET', job, 'patience'))
  local worker = patience and (redis.call('HGET', job, 'placed') or place(job, id))
  if worker then
    redis.call('HSET', job, 'placed', worker)
    queue = OWN .. worker
  end
  show(QUEUE .. queue, project, id, rank)
  return queue, worker and patience
end

-- From now on any worker may take it that reads its queue; the one that it is placed at still before others.
local function offer_to_all(job, id)
  local project, queue, rank = standing(job)
  show(QUEUE .. queue, project, id, rank)
  return queue
end
