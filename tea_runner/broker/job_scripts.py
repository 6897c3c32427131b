"""Lua scripts that move jobs between states; Redis runs each of them completely or not at all.

Names of keys come in as KEYS and, where a script completes a name, as a prefix in ARGV; see
:mod:`tea_runner.broker.redis_keys`.  :mod:`tea_runner.broker.job_store` calls them.
"""

from __future__ import annotations

#: Reason of a plan request for a branch whose jobs have ended.
ENDED = "its jobs have ended"

#: Error of the datums of a cancelled job.  They count as failed, so the next plan does not start them
#: again until somebody retries them.
CANCELLED = "{by} cancelled it; tea-runner retry {job} runs it after all"
#: Before the error of a datum that was cancelled, in its failure key.
CANCELLED_MARK = "cancelled\n"

#: Error of a job that was signed with a former key of the planners.
FORMER_KEY = "it was signed with a former key of the queue; its branch is planned again"

# KEYS: job, subscribers, pending, live jobs, known jobs, in-flight keys…
# ARGV: id, body, branch, now, time to live, class, repository, pushed commit, priority
# Returns 1 for a new job, which must be queued; 0 for one that waits or runs already.
ENQUEUE = """
redis.call('SADD', KEYS[2], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('SADD', KEYS[3], ARGV[1])
redis.call('SADD', KEYS[4], ARGV[1])
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'waiting' or state == 'running' then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'state', 'waiting', 'body', ARGV[2], 'attempt', 0, 'bugs', 0,
  'created', ARGV[4], 'born', redis.call('TIME')[1], 'needs', ARGV[6], 'repository', ARGV[7],
  'pushed', ARGV[8], 'priority', ARGV[9])
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('ZADD', KEYS[5], ARGV[4], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', ARGV[4] - ARGV[5])
for i = 6, #KEYS do redis.call('SET', KEYS[i], ARGV[1], 'EX', ARGV[5]) end
return 1
"""

# KEYS: job   ARGV: body, class, pushed commit
# Replaces the body of a waiting job.  Returns 0 when it does not wait, 2 when it must be queued again: it
# paused, or it goes to other workers now; else 1.
MOVE = """
if redis.call('HGET', KEYS[1], 'state') ~= 'waiting' then return 0 end
local needs = redis.call('HGET', KEYS[1], 'needs')
redis.call('HSET', KEYS[1], 'body', ARGV[1], 'needs', ARGV[2], 'pushed', ARGV[3])
if redis.call('HDEL', KEYS[1], 'after') == 1 or needs ~= ARGV[2] then return 2 end
return 1
"""

# KEYS: job, subscribers, pending, plan requests   ARGV: id, branch, time to live, reason
# Returns 1 when the job has ended and a plan request was made, which must be queued; else 0.
SUBSCRIBE = """
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'waiting' and state ~= 'running' then
  return redis.call('HSETNX', KEYS[4], ARGV[2], ARGV[4])
end
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('SADD', KEYS[3], ARGV[1])
return 0
"""

# KEYS: job, lease   ARGV: token, worker, now, lease in seconds, most deaths
# Returns {attempt, seconds since the job was enqueued, body, 1 after an error of the outside}.  The
# attempt is 0 when the job cannot be claimed, -1 when it killed too many workers, -2 when it was
# cancelled.  The body is returned at once, because Redis may have lost the job by the next command.
# A claim that was never released is a death of its worker; a retry after an outside error is none.
# Pauses are measured by the clock of Redis, the only one that all hosts share.
CLAIM = """
local state = redis.call('HGET', KEYS[1], 'state')
local idle = redis.call('EXISTS', KEYS[2]) == 0
if redis.call('HEXISTS', KEYS[1], 'cancel') == 1 and idle then return {-2, 0, '', 0} end
if state ~= 'waiting' and not (state == 'running' and idle) then return {0, 0, '', 0} end
local now = tonumber(redis.call('TIME')[1])
if (tonumber(redis.call('HGET', KEYS[1], 'after') or 0) or 0) > now then return {0, 0, '', 0} end
local body = redis.call('HGET', KEYS[1], 'body') or ''
if redis.call('HINCRBY', KEYS[1], 'deaths', 1) > tonumber(ARGV[5]) then return {-1, 0, body, 0} end
local attempt = redis.call('HINCRBY', KEYS[1], 'attempt', 1)
redis.call('HSET', KEYS[1], 'state', 'running', 'token', ARGV[1], 'worker', ARGV[2], 'started', ARGV[3])
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[4])
return {attempt, now - (tonumber(redis.call('HGET', KEYS[1], 'born') or 0) or 0), body,
  redis.call('HEXISTS', KEYS[1], 'troubles')}
"""

# KEYS: lease   ARGV: token, lease in seconds
EXTEND = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""

# KEYS: job, lease   ARGV: token, added to the attempts, seconds to wait, error
# Returns 1 when the job waits again, 0 when the claim is lost, -1 when the job is to be cancelled.
RELEASE = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
if redis.call('HEXISTS', KEYS[1], 'cancel') == 1 then return -1 end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'state', 'waiting', 'after', redis.call('TIME')[1] + ARGV[3])
redis.call('HDEL', KEYS[1], 'deaths')
redis.call('HINCRBY', KEYS[1], 'attempt', ARGV[2])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'error', ARGV[4]) end
return 1
"""

# Ends a job for one of five reasons (ARGV: how):
#   finish       by the worker with this token
#   park         without a token, after too many workers died
#   cancel       for all branches; a running job is only marked, until its worker's token comes along
#   unsubscribe  for one branch; the job is cancelled when no other is subscribed and it waits still
#   discard      without a token, because nobody can verify it; all its branches are planned again
# KEYS: job, lease, subscribers, live jobs, plan requests, in-flight keys…, failure keys…
# ARGV: how, id, token, state, now, error, prefix of pending, branch, reason of plan requests, time to
#   live of failures, number of in-flight keys, errors of datums as JSON, a text for each failure key…
# Returns {outcome, branches…}: ``ended`` with the branches whose last job this was (or, of a discarded job,
# all branches) and that had no plan request, which must be queued; or ``stopping``, ``lost``, ``over``,
# ``kept`` when nothing ended.
END = """
local how, id, token = ARGV[1], ARGV[2], ARGV[3]
local state = redis.call('HGET', KEYS[1], 'state')
if how == 'finish' then
  if redis.call('HGET', KEYS[1], 'token') ~= token then return {'lost'} end
elseif how == 'cancel' then
  if state == 'running' and redis.call('EXISTS', KEYS[2]) == 1 then
    if token == '' then
      redis.call('HSET', KEYS[1], 'cancel', ARGV[5])
      return {'stopping'}
    end
    if redis.call('GET', KEYS[2]) ~= token then return {'lost'} end
  elseif state ~= 'waiting' and state ~= 'running' then
    return {'over'}
  end
elseif how == 'unsubscribe' then
  redis.call('SREM', KEYS[3], ARGV[8])
  redis.call('SREM', ARGV[7] .. ARGV[8], id)
  if state ~= 'waiting' or redis.call('SCARD', KEYS[3]) > 0 then return {'kept'} end
end
redis.call('HSET', KEYS[1], 'state', ARGV[4], 'ended', ARGV[5], 'error', ARGV[6], 'failures', ARGV[12])
redis.call('HDEL', KEYS[1], 'cancel')
redis.call('DEL', KEYS[2])
redis.call('SREM', KEYS[4], id)
local last = 5 + ARGV[11]
for i = 6, last do
  if redis.call('GET', KEYS[i]) == id then redis.call('DEL', KEYS[i]) end
end
for i = last + 1, #KEYS do
  redis.call('SET', KEYS[i], ARGV[12 + i - last], 'EX', ARGV[10])
end
local answer = {'ended'}
for _, branch in ipairs(redis.call('SMEMBERS', KEYS[3])) do
  redis.call('SREM', ARGV[7] .. branch, id)
  if (how == 'discard' or redis.call('SCARD', ARGV[7] .. branch) == 0)
  and redis.call('HSETNX', KEYS[5], branch, ARGV[9]) == 1 then
    table.insert(answer, branch)
  end
end
redis.call('DEL', KEYS[3])
return answer
"""

# KEYS: live jobs, known jobs   ARGV: prefix of jobs, now, ids…
# Brings the two sets in line with the jobs' own hashes; returns the ids that neither wait nor run.
INDEX = """
local ended = {}
for i = 3, #ARGV do
  local name = ARGV[1] .. ARGV[i]
  local state = redis.call('HGET', name, 'state')
  if state then
    redis.call('ZADD', KEYS[2], 'NX',
      tonumber(redis.call('HGET', name, 'created') or '') or ARGV[2], ARGV[i])
  end
  if state == 'waiting' or state == 'running' then
    redis.call('SADD', KEYS[1], ARGV[i])
  else
    redis.call('SREM', KEYS[1], ARGV[i])
    table.insert(ended, ARGV[i])
  end
end
return ended
"""

# KEYS: failed statuses, plan requests   ARGV: most branches, reason
# Takes some branches and requests a plan of each; returns two lists: all of them, and those that had no
# plan request, which must be queued.
REPLAN_FAILED_COMMIT_STATUSES = """
local branches = redis.call('SPOP', KEYS[1], ARGV[1])
local new = {}
for _, branch in ipairs(branches) do
  if redis.call('HSETNX', KEYS[2], branch, ARGV[2]) == 1 then table.insert(new, branch) end
end
return {branches, new}
"""

# KEYS: plan lock, planned, plan requests, pending, missing content, failed statuses
# ARGV: token of the lock, commit, repository's branch, branch id, git-annex tips as JSON or '', 1 when
#   a status was not accepted, 1 when the branch waits for jobs
# Returns 0 when the lock is lost, or when the branch waits and Redis holds neither jobs nor a plan
# request: it was flushed, or restored from an older copy, and the caller must plan again.
COMPLETE_PLAN = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[7] == '1' and redis.call('EXISTS', KEYS[4]) == 0
and redis.call('HEXISTS', KEYS[3], ARGV[4]) == 0 then return 0 end
if ARGV[5] == '' then
  redis.call('HDEL', KEYS[5], ARGV[4])
else
  redis.call('HSET', KEYS[5], ARGV[4], ARGV[5])
end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[2])
if ARGV[6] == '1' then redis.call('SADD', KEYS[6], ARGV[4]) end
return 1
"""
