-- Make a test message due.
-- ARGV webhook id retention
make_due(ARGV[1], ARGV[2], now_ms(), tonumber(ARGV[3]))
