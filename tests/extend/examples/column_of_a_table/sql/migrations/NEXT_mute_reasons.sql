-- Why a rule was muted; empty in rows of before.
ALTER TABLE alert_mutes_log ADD COLUMN IF NOT EXISTS mute_reason String COMMENT 'Why, in a few words' AFTER muted_at;
