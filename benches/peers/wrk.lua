-- What wrk sends and tells: `wrk -s wrk.lua URL -- [BODY]`. With a body the request is a POST. At the end it prints one line of
-- JSON; times are in microseconds.

function init(args)
   if args[1] then
      wrk.method = "POST"
      wrk.body = args[1]
   end
end

function done(summary, latency)
   local errors = summary.errors
   local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
   io.write(string.format(
      '{"requests": %d, "duration_us": %d, "failed": %d, "p50_us": %d, "p99_us": %d}\n',
      summary.requests, summary.duration, failed, latency:percentile(50.0), latency:percentile(99.0)
   ))
end
