-- An alert keeps its name when its rule is edited; a mute names who asked for it, and why.
ALTER TABLE alert_events_log
    COMMENT COLUMN IF EXISTS alert_id 'Alert, 16 hexadecimal digits; follows from the rule, the chain and the height where it began';
ALTER TABLE alert_mutes_log
    ADD COLUMN IF NOT EXISTS author String COMMENT 'Who muted it, by the name that was given; empty without one' AFTER until,
    ADD COLUMN IF NOT EXISTS reason String COMMENT 'Why, in one line; empty where none was given' AFTER author;
