-- name: forecast_scores
-- description: How the daily forecasts of the four leaders did, by year and by stated chance: coverage of the interval, Brier score, calibration
-- param chain String = bitcoin | chain
-- param view String = raw | raw or entity
-- param height UInt32 = 4294967295 | count forecasts whose blocks had come at this height; all where it is above
-- example: counterpoise sql --name forecast_scores --param view=entity
SELECT
    part, count() AS forecasts, avg(inside) AS coverage, avg(brier) AS brier_score, avg(above_75) AS stated_above_75,
    avg(outcome > 0.75) AS came_above_75, avg(share - outcome) AS share_minus_outcome,
    max(height) AS newest_height, argMax(time, height) AS newest_time
FROM share_forecasts
ARRAY JOIN
    [toString(toYear(time)), concat('stated ', toString(20 * least(4, intDiv(toUInt8(100 * above_75), 20))), ' % and more'), 'all'] AS part
WHERE chain = {chain:String} AND view = {view:String} AND scored AND height + 1008 <= {height:UInt32}
GROUP BY part
ORDER BY part
