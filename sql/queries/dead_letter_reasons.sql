-- name: dead_letter_reasons
-- description: Events that could not be processed, counted by reason, topic and service
-- param at DateTime64(3, 'UTC') = 2100-01-01 00:00:00 | leave out what was found later than this moment, UTC
-- example: counterpoise sql --name dead_letter_reasons
SELECT reason, topic, service, count() AS letters, countIf(replayed_at IS NULL OR replayed_at > {at:DateTime64(3, 'UTC')}) AS not_replayed, min(seen_at) AS first_seen, max(seen_at) AS last_seen, any(detail) AS one_detail
FROM dead_letters
WHERE seen_at <= {at:DateTime64(3, 'UTC')}
GROUP BY reason, topic, service
ORDER BY letters DESC, reason, topic, service
