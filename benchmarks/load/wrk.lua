-- Posts a body if a size is given, and prints one line of JSON at the end.
function init(args)
   local size = tonumber(args[1] or "0")
   if size > 0 then
      wrk.method = "POST"
      wrk.body = string.rep("0123456789abcdef", size / 16)
      wrk.headers["Content-Type"] = "application/octet-stream"
   end
end

function done(summary, latency)
   local wrong = summary.errors
   io.write(string.format(
      'JSON {"requests": %d, "refused": %d, "seconds": %.6f, "errors": %d, '
         .. '"p50": %.4f, "p99": %.4f, "p999": %.4f}\n',
      summary.requests, wrong.status, summary.duration / 1e6,
      wrong.connect + wrong.read + wrong.write + wrong.status + wrong.timeout,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      latency:percentile(99.9) / 1e3))
end
