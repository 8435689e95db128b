-- Makes wrk send the same POST request repeatedly, and print the results as one line of JSON.
-- BODY_FILE names the file with the body, CONTENT_TYPE its media type.

wrk.method = "POST"
wrk.headers["Content-Type"] = os.getenv("CONTENT_TYPE")
local file = assert(io.open(os.getenv("BODY_FILE"), "rb"))
wrk.body = file:read("*a")
file:close()

-- Times are in microseconds.
function done(summary, latency, requests)
  local errors = summary.errors
  local percentiles = {}
  for _, share in ipairs({50, 75, 90, 95, 99, 99.9}) do
    table.insert(percentiles, string.format('"%g": %d', share, latency:percentile(share)))
  end
  io.write(string.format(
    '\n{"answers": %d, "duration": %d, "refused": %d, "broken": %d, "percentiles": {%s}}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, table.concat(percentiles, ", ")))
end
