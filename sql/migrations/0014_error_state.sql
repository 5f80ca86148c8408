-- The query of a rule may fail: its alert is open in the state error.
ALTER TABLE alert_events_log
    COMMENT COLUMN IF EXISTS state 'possible, pending, firing, rebased or error (open); resolved, inactive or retracted (closed)';
