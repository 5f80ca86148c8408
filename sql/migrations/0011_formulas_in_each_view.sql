-- Each view over concentration_log states its formulas itself; the internal view that held them for all has no reader any more.
DROP VIEW IF EXISTS concentration_sets_log;
