-- name: gap_parts
-- description: What the change of L over a year is made of, largest part first: AI by owner, mining by pool, coverage, method and revisions apart
-- param day Date = 2025-12-31 | a day with a row that reads a new release
-- param series String = epoch-ai-compute-owners | market series
-- param list String = all-owners | include-list
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param window UInt16 = 1008 | trailing window of the mining side in blocks
-- param treatment String = one_owner | dropped, one_owner or spread
-- example: counterpoise sql --name gap_parts --param treatment=dropped
SELECT component, name, round(doublings, 4) AS doublings
FROM asymmetry_changes
WHERE series = {series:String} AND list_id = {list:String} AND chain = {chain:String} AND view = {view:String}
  AND window_blocks = {window:UInt16} AND treatment = {treatment:String} AND knowledge = 'latest' AND kind = 'day' AND day = {day:Date}
ORDER BY abs(doublings) DESC, component, name
