-- Count what objects take; returns what their project stores then.
-- KEYS stored
-- ARGV path size path size...
local sum = 0
for at = 1, #ARGV, 2 do sum = account(KEYS[1], ARGV[at], ARGV[at + 1]) end
return string.format('%.0f', sum)
