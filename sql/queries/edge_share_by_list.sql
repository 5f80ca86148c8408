-- name: edge_share_by_list
-- description: The edge share of each period by one include-list, with the values by every other list
-- param series String = pypi-edge-share | market series
-- param list String = as-filed | include-list; empty for all
-- example: counterpoise sql --name edge_share_by_list
SELECT
    period_end, list_id, round(edge_share, 4) AS edge_share, round(edge_share_lower, 4) AS lower, round(edge_share_upper, 4) AS upper,
    length(missing) AS missing, arrayMap(other -> (other.1, round(other.2, 4)), other_lists) AS other_lists
FROM edge_share
WHERE series = {series:String} AND ({list:String} = '' OR list_id = {list:String})
ORDER BY list_id, period_end
