"""Moves of jobs between states, as scripts that Redis runs whole or not at all; text only.

Each says which keys and arguments it takes and what it answers; :mod:`tea_runner.broker.job_store` calls
them.
"""

from __future__ import annotations

#: Why a branch is planned when the jobs that it waited for have ended.
ENDED = "its jobs have ended"

# KEYS: job, wanted, pending   ARGV: id, body, wanter, now, keep, key names…
# Answers 1 when the job is new and must be enqueued, 0 when somebody else has it in hand.
WANT = """
redis.call('SADD', KEYS[2], ARGV[3]); redis.call('EXPIRE', KEYS[2], ARGV[5])
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'waiting' or state == 'running' then
  redis.call('SADD', KEYS[3], ARGV[1])
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'state', 'waiting', 'body', ARGV[2], 'attempt', 0, 'bugs', 0, 'created', ARGV[4],
  'born', redis.call('TIME')[1])
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('SADD', KEYS[3], ARGV[1])
for i = 6, #ARGV do redis.call('SET', ARGV[i], ARGV[1], 'EX', ARGV[5]) end
return 1
"""

# KEYS: job, lease   ARGV: token, worker, now, lease seconds, crashes
# Answers {attempt, seconds since it was wanted, body}; instead of an attempt 0 for "not to be had", -1
# for "killed too many workers", -2 for "cancelled".  The body comes along: a question later, Redis may
# know nothing of it.
# Claims that were never given back count as deaths of workers; tries that the outside world made fail
# do not.  Waiting times are kept by Redis's own clock, the only one that all hosts see.
CLAIM = """
local state = redis.call('HGET', KEYS[1], 'state')
local idle = redis.call('EXISTS', KEYS[2]) == 0
if redis.call('HEXISTS', KEYS[1], 'cancel') == 1 and idle then return {-2, 0, ''} end
if state ~= 'waiting' and not (state == 'running' and idle) then return {0, 0, ''} end
local now = tonumber(redis.call('TIME')[1])
if tonumber(redis.call('HGET', KEYS[1], 'after') or 0) > now then return {0, 0, ''} end
local body = redis.call('HGET', KEYS[1], 'body') or ''
if redis.call('HINCRBY', KEYS[1], 'deaths', 1) > tonumber(ARGV[5]) then return {-1, 0, body} end
local attempt = redis.call('HINCRBY', KEYS[1], 'attempt', 1)
redis.call('HSET', KEYS[1], 'state', 'running', 'token', ARGV[1], 'worker', ARGV[2], 'started', ARGV[3])
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[4])
return {attempt, now - tonumber(redis.call('HGET', KEYS[1], 'born') or 0), body}
"""

# KEYS: planning, tip, plan, pending, starved, unsaid   ARGV: token of the turn, commit, wanter, tips of
# git-annex as JSON or '', 1 when a status was not taken, 1 when jobs are waited for
# Answers 0 when what the plan left here is gone: the turn ends with a loss of all, and in an old copy
# nobody has the jobs in hand nor asks for a plan because they have ended.
PLANNED = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[6] == '1' and redis.call('EXISTS', KEYS[3], KEYS[4]) == 0 then return 0 end
if ARGV[4] == '' then
  redis.call('HDEL', KEYS[5], ARGV[3])
else
  redis.call('HSET', KEYS[5], ARGV[3], ARGV[4])
end
redis.call('SET', KEYS[2], ARGV[2])
if ARGV[5] == '1' then redis.call('SADD', KEYS[6], ARGV[3]) end
return 1
"""

# KEYS: lease   ARGV: token, lease seconds
EXTEND = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""

# KEYS: job, lease, wanted   ARGV: id, token or '', state, now, error
# Answers the wanters whose pending jobs have all ended and for which no plan is requested yet: that they
# are to be planned is kept in the same move, so that a death between the two loses nothing.
END = """
if ARGV[2] ~= '' and redis.call('HGET', KEYS[1], 'token') ~= ARGV[2] then return {} end
redis.call('HSET', KEYS[1], 'state', ARGV[3], 'ended', ARGV[4], 'error', ARGV[5])
redis.call('DEL', KEYS[2])
local ready = {}
for _, wanter in ipairs(redis.call('SMEMBERS', KEYS[3])) do
  redis.call('SREM', 'tea:pending:' .. wanter, ARGV[1])
  if redis.call('SCARD', 'tea:pending:' .. wanter) == 0
  and redis.call('SET', 'tea:plan:' .. wanter, '@ENDED@', 'NX', 'EX', 86400) then
    table.insert(ready, wanter)
  end
end
redis.call('DEL', KEYS[3])
return ready
""".replace("@ENDED@", ENDED)

# KEYS: job, lease   ARGV: token, what is added to the attempts, seconds to wait, error
RELEASE = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'state', 'waiting', 'after', redis.call('TIME')[1] + ARGV[3])
redis.call('HDEL', KEYS[1], 'deaths')
redis.call('HINCRBY', KEYS[1], 'attempt', ARGV[2])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'error', ARGV[4]) end
return 1
"""

#: What is said of a cancelled datum.  It counts as failed, so that the next plan does not start it
#: again, until somebody retries it.
CANCELLED = "somebody cancelled it; tea-runner retry {job} runs it after all"

# KEYS: job, lease, wanted   ARGV: id, token or '', now, sentence, keep of the sentence, repository,
# keys of datums…
# Without a token, a running job is flagged; with that of its worker, or when no worker lives, it ends.
# Answers {word, wanters whose pending jobs have all ended…}.
CANCEL = """
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'running' and redis.call('EXISTS', KEYS[2]) == 1 then
  if ARGV[2] == '' then
    redis.call('HSET', KEYS[1], 'cancel', ARGV[3])
    return {'stopping'}
  end
  if redis.call('GET', KEYS[2]) ~= ARGV[2] then return {'lost'} end
elseif state ~= 'waiting' and state ~= 'running' then
  return {'ended'}
end
redis.call('HSET', KEYS[1], 'state', 'cancelled', 'ended', ARGV[3], 'error', ARGV[4])
redis.call('HDEL', KEYS[1], 'cancel')
redis.call('DEL', KEYS[2])
for i = 7, #ARGV do
  local name = ARGV[6] .. '\\n' .. ARGV[i]
  redis.call('SET', 'tea:failed:' .. name, ARGV[4], 'EX', ARGV[5])
  if redis.call('GET', 'tea:key:' .. name) == ARGV[1] then redis.call('DEL', 'tea:key:' .. name) end
end
local answer = {'cancelled'}
for _, wanter in ipairs(redis.call('SMEMBERS', KEYS[3])) do
  redis.call('SREM', 'tea:pending:' .. wanter, ARGV[1])
  if redis.call('SCARD', 'tea:pending:' .. wanter) == 0
  and redis.call('SET', 'tea:plan:' .. wanter, '@ENDED@', 'NX', 'EX', 86400) then
    table.insert(answer, wanter)
  end
end
redis.call('DEL', KEYS[3])
return answer
""".replace("@ENDED@", ENDED)
