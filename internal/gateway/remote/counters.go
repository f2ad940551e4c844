package remote

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"tandem/internal/policy"
)

// take does what policy.MemoryCounters does, in one step on the server and by the server's clock, so that gateways need not
// agree on theirs. A window slides by the count of its period and of the one before.
//
// KEYS[1]: the counter. ARGV: n, limit, period in ms, whether it slides, force, where its periods begin in ms ("" : at the
// first use). Answers: allowed, used, milliseconds to wait.
var take = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local n, limit, period = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local slides, force = ARGV[4] == '1', ARGV[5] == '1'
local v = redis.call('HMGET', KEYS[1], 's', 'c', 'b')
local s, c, b = tonumber(v[1]), tonumber(v[2]) or 0, tonumber(v[3]) or 0
if not s then
  s = now
  if ARGV[6] ~= '' and period > 0 then s = now - (now - tonumber(ARGV[6])) % period end
end
if period > 0 and now - s >= period then
  local passed = math.floor((now - s) / period)
  if passed == 1 and slides then b = c else b = 0 end
  c = 0
  s = s + passed * period
end
local used = c
if slides and period > 0 then used = c + math.floor(b * (period - (now - s)) / period) end
local ask = math.max(n, 1)
local allowed = used + ask <= limit
if n == 0 then allowed = used < limit end
if n ~= 0 and (allowed or force) then
  c = c + n
  used = used + n
  redis.call('HSET', KEYS[1], 's', string.format('%.0f', s), 'c', string.format('%.0f', c), 'b', string.format('%.0f', b))
  if period > 0 then redis.call('PEXPIRE', KEYS[1], s + 2 * period - now) end
end
local wait = 0
if not allowed and period > 0 then
  wait = s + period - now
  if slides and c + ask <= limit and b > 0 then wait = math.max(0, wait - (limit - c - ask) / b * period) end
end
return {allowed and 1 or 0, used, math.ceil(wait)}
`)

// Take implements policy.Counters.
func (s *Server) Take(key string, n int64, w policy.Window, force bool) policy.Count {
	var out policy.Count
	err := s.asked(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 2*callTimeout)
		defer cancel()
		var err error
		out, err = s.take(ctx, key, n, w, force)
		return err
	})
	if err != nil {
		return s.local.Take(key, n, w, force)
	}
	return out
}

func (s *Server) take(ctx context.Context, key string, n int64, w policy.Window, force bool) (out policy.Count, err error) {
	period, begin := w.Period, ""
	key = s.prefix + "n:" + key
	switch {
	case w.Kind == policy.Calendar:
		start, end := policy.CalendarPeriod(w.Period, s.clock.Now())
		period, begin = end.Sub(start), strconv.FormatInt(start.UnixMilli(), 10)
		key += ":" + begin
	case w.Kind == policy.Fixed && !w.Start.IsZero():
		begin = strconv.FormatInt(w.Start.UnixMilli(), 10)
	}
	answer, err := take.Run(ctx, s.client, []string{key}, n, w.Limit, period.Milliseconds(), flag(w.Kind == policy.Sliding), flag(force), begin).Int64Slice()
	if err != nil {
		return out, err
	}
	if len(answer) != 3 {
		return out, errDown
	}
	out = policy.Count{Allowed: answer[0] == 1, Used: answer[1], Remaining: max(0, w.Limit-answer[1])}
	if !out.Allowed {
		out.After = time.Duration(answer[2]) * time.Millisecond
	}
	return out, nil
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
