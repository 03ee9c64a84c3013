-- The requests of the benchmark, for wrk: SCENARIO names one of the four below, everything else
-- about the server comes from the environment too, so the same file loads any server with this API.
--
--    history        TOKEN, CONVERSATION; PAGES=1 (1,2,250 takes them in turn);
--                   HISTORY_PATH=/api/conversations/{id}/messages/
--    conversations  TOKEN; PAGES=1
--    post_message   TOKEN, CONVERSATIONS=id,id,... (in turn); BODY_SIZE=60 characters
--    token          EMAILS=address,address,... (in turn), PASSWORD
--
-- THINK_MS=n waits so long before each request; the latency does not include the wait.
-- Requests are formatted once, in init. There is no response(): with one, wrk copies every answer
-- into Lua and becomes what is measured.

local requests, turn = {}, 0

local function setting(name, default)
   local value = os.getenv(name)
   if value and value ~= "" then return value end
   return default or error(name .. " is not set")
end

local function each(text)
   return text:gmatch("[^,]+")
end

local function headers(signed_in, has_body)
   local fields = { ["Accept"] = "application/json" }
   if signed_in then
      fields["Authorization"] = setting("AUTH_SCHEME", "Bearer") .. " " .. setting("TOKEN")
   end
   if has_body then fields["Content-Type"] = "application/json" end
   return fields
end

local function add(method, path, signed_in, body)
   requests[#requests + 1] = wrk.format(method, path, headers(signed_in, body ~= nil), body)
end

-- Words of a usual length, cut to size; ends in a full stop, so that trimming changes nothing.
local function sentence(size)
   local words = "see you at the station at seven and bring the tickets with you "
   return words:rep(math.ceil(size / #words)):sub(1, size - 1) .. "."
end

local scenarios = {}

function scenarios.history()
   local path = setting("HISTORY_PATH", "/api/conversations/{id}/messages/")
   path = path:gsub("{id}", setting("CONVERSATION"))
   for page in each(setting("PAGES", "1")) do
      add("GET", path .. "?page=" .. page, true)
   end
end

function scenarios.conversations()
   for page in each(setting("PAGES", "1")) do
      add("GET", "/api/conversations/?page=" .. page, true)
   end
end

function scenarios.post_message()
   local text = sentence(tonumber(setting("BODY_SIZE", "60")))
   for id in each(setting("CONVERSATIONS")) do
      add("POST", "/api/messages/", true,
         ('{"conversation":"%s","message_body":"%s"}'):format(id, text))
   end
end

function scenarios.token()
   local password = setting("PASSWORD")
   for email in each(setting("EMAILS")) do
      add("POST", "/api/token/", false, ('{"email":"%s","password":"%s"}'):format(email, password))
   end
end

local think_ms = tonumber(setting("THINK_MS", "0"))
if think_ms > 0 then
   function delay() return think_ms end
end

function init()
   scenarios[setting("SCENARIO")]()
end

function request()
   turn = turn % #requests + 1
   return requests[turn]
end

-- One line for run.py. "status" counts answers of 400 and above; to wrk a redirect is a success,
-- which is why run.py asks each question once beforehand.
function done(summary, latency)
   local errors = summary.errors
   local fields = {
      { "requests", summary.requests }, { "seconds", summary.duration / 1e6 },
      { "bytes", summary.bytes }, { "p50_ms", latency:percentile(50) / 1e3 },
      { "p99_ms", latency:percentile(99) / 1e3 }, { "max_ms", latency.max / 1e3 },
      { "status", errors.status },
      { "broken", errors.connect + errors.read + errors.write + errors.timeout },
   }
   local parts = {}
   for _, field in ipairs(fields) do
      parts[#parts + 1] = ('"%s": %.6g'):format(field[1], field[2])
   end
   io.write("RESULT {", table.concat(parts, ", "), "}\n")
end
