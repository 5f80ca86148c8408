-- name: dead_letter_reasons
-- description: Events that could not be processed, counted by reason, topic and service
-- example: counterpoise sql --name dead_letter_reasons
SELECT reason, topic, service, count() AS letters, countIf(replayed_at IS NULL) AS not_replayed, min(seen_at) AS first_seen, max(seen_at) AS last_seen, any(detail) AS one_detail
FROM dead_letters
GROUP BY reason, topic, service
ORDER BY letters DESC, reason, topic, service
