-- For wrk: sends the requests of a file, each line "METHOD path token body", at
-- random, and says at the end what came of them in one line.

local requests = {}

function init(args)
    math.randomseed(os.time())
    for line in io.lines(args[1]) do
        local method, path, token, body =
            line:match("^(%S+) (%S+) (%S+) ?(.*)$")
        local headers = { ["Authorization"] = "Bearer " .. token }
        if body == "" then
            body = nil
        else
            headers["Content-Type"] = "application/json"
        end
        requests[#requests + 1] = wrk.format(method, path, headers, body)
    end
end

function request()
    return requests[math.random(#requests)]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format("RESULT requests=%d microseconds=%d refused=%d "
        .. "broken=%d p50=%d p99=%d\n", summary.requests, summary.duration,
        errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
