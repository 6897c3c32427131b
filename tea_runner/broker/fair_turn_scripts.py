"""Lua scripts of turns: who has the next job, and who has to wait because enough jobs run already.

Each script has the job's hash as KEYS[1], the job's id as ARGV[1], and as ARGV[2] a JSON object with
prefixes of keys, needs, priorities and limits; :mod:`tea_runner.broker.fair_job_turns` writes it.
"""

from __future__ import annotations

#: What the other scripts begin with.
_BEGIN = """
local words = cjson.decode(ARGV[2])
local now = tonumber(redis.call('TIME')[1])

local function last(name)
  return tonumber(redis.call('ZREVRANGE', name, 0, 0, 'WITHSCORES')[2] or 0) or 0
end

-- The needs, and the classes of jobs with a demand.
local function classes()
  local found = {}
  for _, needs in ipairs(words.needs) do table.insert(found, needs) end
  for _, each in ipairs(redis.call('ZREVRANGE', words.classes, 0, words.most_classes - 1)) do
    table.insert(found, each)
  end
  return found
end

local function line_of(needs, repository) return words.line .. needs .. '\\n' .. repository end

local function held_by(needs, scope) return words.held .. needs .. '\\n' .. scope end

-- What limits the jobs of a repository: itself, and its owner.  The first rule of each counts.
local function scopes_of(repository)
  local found, seen = {}, {}
  for _, rule in ipairs(words.limits) do
    local scope = repository
    if rule.owners then scope = string.match(repository, '^[^/]+') or '' end
    if not seen[rule.owners] and scope ~= '' and string.match(scope, rule.pattern) then
      seen[rule.owners] = true
      table.insert(found, {name = scope, most = rule.jobs})
    end
  end
  return found
end

-- Whether fewer jobs run than may.  Jobs whose worker has died, or never claimed them, do not count.
local function is_free(scope)
  local name = words.running .. scope.name
  if redis.call('ZCARD', name) < scope.most then return true end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', name, '-inf', now - words.grace, 'LIMIT', 0, 10000)) do
    if redis.call('EXISTS', words.lease .. id) == 0 then redis.call('ZREM', name, id) end
  end
  return redis.call('ZCARD', name) < scope.most
end

-- The first scope of a repository in which no job may start now; nil for none.
local function full_scope(repository)
  for _, scope in ipairs(scopes_of(repository)) do
    if not is_free(scope) then return scope end
  end
end

-- Gives one repository its place back for each class, in each scope where a job may start, and adds the
-- first job of each to a list: each needs an item in a queue.
local function let_in(repository, jobs)
  for _, scope in ipairs(scopes_of(repository)) do
    if is_free(scope) then
      for _, needs in ipairs(classes()) do
        local back, job
        repeat
          back = redis.call('ZPOPMIN', held_by(needs, scope.name))
          if back[1] then job = redis.call('ZRANGE', line_of(needs, back[1]), 0, 0)[1] end
        until job or not back[1]
        if job then
          redis.call('ZADD', words.turns .. needs, 'NX', tonumber(back[2]) or 0, back[1])
          redis.call('EXPIRE', words.turns .. needs, words.ttl)
          table.insert(jobs, job)
        end
      end
    end
  end
end
"""

# Puts a job into the line of its repository, and the repository behind those whose turn it is; returns
# its class: a need, or a need with a demand after a comma.  A repository or a job that is in line keeps its
# place.  A job with a priority goes to that part of the way to the end of the line: with 4, to a quarter;
# so the line always moves on.
PUT_IN_LINE = (
    _BEGIN
    + """
local wanted, needs = redis.call('HGET', KEYS[1], 'needs'), words.needs[1]
for _, each in ipairs(words.needs) do
  if wanted and #wanted < 2500
  and (wanted == each or string.sub(wanted, 1, #each + 1) == each .. ',') then needs = wanted end
end
if string.find(needs, ',', 1, true) then
  redis.call('ZADD', words.classes, now, needs)
  redis.call('ZREMRANGEBYSCORE', words.classes, '-inf', now - words.ttl)
end
local repository = redis.call('HGET', KEYS[1], 'repository') or ''
local priority = tonumber(redis.call('HGET', KEYS[1], 'priority') or 1) or 1
local turns, line = words.turns .. needs, line_of(needs, repository)
local place = last(line) + 1
if priority > 1 and priority <= 100 then
  local first = tonumber(redis.call('ZRANGE', line, 0, 0, 'WITHSCORES')[2] or place) or place
  place = first + (place - first) / priority
end
redis.call('ZADD', line, 'NX', place, ARGV[1])
redis.call('EXPIRE', line, words.ttl)
redis.call('ZADD', turns, 'NX', last(turns) + 1, repository)
redis.call('EXPIRE', turns, words.ttl)
return needs
"""
)

# Takes the next job of the repository whose turn it is, among those of the same class as the job that a
# queue item names, and puts that repository behind the others, or with more turns at that part of the way
# to them; so it always moves on, and the others come.  Returns the job's id; that of the item when no
# repository is in line; an empty text when none may start a job now.  Ids of jobs follow, each of which
# needs an item in a queue.
# A repository of which enough jobs run, or of whose owner, leaves its place until one of them has ended:
# a turn costs the same however many wait so.  Items are used up meanwhile, so each job of a limited
# repository that starts gives one for the next, while it has its place.
# Jobs in line that cannot be claimed any more, or not yet, leave it on the way: each of them once.
TAKE_TURN = (
    _BEGIN
    + """
local needs = redis.call('HGET', KEYS[1], 'needs') or words.needs[1]
local turns = words.turns .. needs

local function can_start(id)
  local job = words.job .. id
  local state = redis.call('HGET', job, 'state')
  local after = tonumber(redis.call('HGET', job, 'after') or 0) or 0
  return (state == 'waiting' and after <= now)
    or (state == 'running' and redis.call('EXISTS', words.lease .. id) == 0)
end

local function start(id, repository)
  for _, scope in ipairs(scopes_of(repository)) do
    redis.call('ZADD', words.running .. scope.name, 'NX', now, id)
    redis.call('EXPIRE', words.running .. scope.name, words.ttl)
  end
end

local function hold(repository, place, scope)
  redis.call('ZADD', held_by(needs, scope.name), place, repository)
  redis.call('EXPIRE', held_by(needs, scope.name), words.ttl)
end

local answer = {''}
while true do
  local first = redis.call('ZPOPMIN', turns)
  if not first[1] then break end
  local full = full_scope(first[1])
  local line = line_of(needs, first[1])
  local found, id
  if full then
    hold(first[1], tonumber(first[2]) or 0, full)
  else
    repeat
      id = redis.call('ZPOPMIN', line)[1]
      if id and can_start(id) then found = id end
    until found or not id
    if found then start(found, first[1]) end
    local next = redis.call('ZRANGE', line, 0, 0)[1]
    if next then
      local from = tonumber(first[2]) or 0
      local place = (tonumber(redis.call('ZREVRANGE', turns, 0, 0, 'WITHSCORES')[2] or first[2]) or 0) + 1
      for _, rule in ipairs(words.priorities) do
        if string.match(first[1], rule.pattern) then
          if rule.turns > 1 then place = from + (place - from) / rule.turns end
          break
        end
      end
      full = full_scope(first[1])
      if full then
        hold(first[1], place, full)
      else
        redis.call('ZADD', turns, place, first[1])
        if #scopes_of(first[1]) > 0 then table.insert(answer, next) end
      end
    end
  end
  if found then
    answer[1] = found
    return answer
  end
  -- It may have had the place of another one of its owner.
  let_in(first[1], answer)
end
local repository = redis.call('HGET', KEYS[1], 'repository') or ''
if full_scope(repository) then return answer end
if can_start(ARGV[1]) then start(ARGV[1], repository) end
answer[1] = ARGV[1]
return answer
"""
)

# After a job: it runs no longer, unless another worker has it now.  Returns jobs to be queued, see let_in.
END_TURN = (
    _BEGIN
    + """
local repository = redis.call('HGET', KEYS[1], 'repository') or ''
if redis.call('EXISTS', words.lease .. ARGV[1]) == 0 then
  for _, scope in ipairs(scopes_of(repository)) do
    redis.call('ZREM', words.running .. scope.name, ARGV[1])
  end
end
local jobs = {}
let_in(repository, jobs)
return jobs
"""
)

# ARGV: ..., pairs of class and repository.  Returns 1 for each that waits for the end of a running job of its
# own or of its owner, whose worker will let it in; else 0.
ARE_HELD = (
    _BEGIN
    + """
local found = {}
for i = 3, #ARGV, 2 do
  local held = 0
  for _, scope in ipairs({ARGV[i + 1], string.match(ARGV[i + 1], '^[^/]+') or ''}) do
    if redis.call('ZSCORE', held_by(ARGV[i], scope), ARGV[i + 1]) then
      for _, id in ipairs(redis.call('ZREVRANGE', words.running .. scope, 0, 99)) do
        if redis.call('EXISTS', words.lease .. id) == 1 then held = 1 break end
      end
    end
  end
  table.insert(found, held)
end
return found
"""
)
