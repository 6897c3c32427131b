"""A job that somebody wants to stop in, its end or a flag for its worker out: one script in Redis.

What was cancelled counts as failed for the planner, with a sentence of its own, so that the next plan
does not start it again; ``tea-runner retry`` forgets that.
"""

from __future__ import annotations

#: What the planner, the pages and the terminal say of a cancelled datum.
SENTENCE = "somebody cancelled it; tea-runner retry {job} runs it after all"

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
  if redis.call('SCARD', 'tea:pending:' .. wanter) == 0 then table.insert(answer, wanter) end
end
redis.call('DEL', KEYS[3])
return answer
"""
