-- The ticket under which a rule was muted; empty in rows of before.
ALTER TABLE alert_mutes_log ADD COLUMN IF NOT EXISTS ticket String COMMENT 'Ticket, by its number' AFTER muted_at;
