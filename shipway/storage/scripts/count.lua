-- Count what an object takes; returns what its project stores then.
-- KEYS stored
-- ARGV path size
return string.format('%.0f', account(KEYS[1], ARGV[1], ARGV[2]))
