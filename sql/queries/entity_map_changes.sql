-- name: entity_map_changes
-- description: The days on which the current entity map changes, up to a moment, and the pools that join or leave an entity then
-- param chain String = bitcoin | chain
-- param at DateTime64(3, 'UTC') = 2100-01-01 00:00:00 | leave out changes after this moment, UTC
-- example: counterpoise sql --name entity_map_changes
SELECT day, arraySort(groupUniqArray(change)) AS changes
FROM
(
    SELECT
        JSONExtractString(entity, 'slug') AS slug,
        arrayJoin(arrayFilter(
            one -> one.1 != '',
            [
                (JSONExtractString(member, 'start'), concat(JSONExtractString(member, 'pool'), ' joins ', slug)),
                (JSONExtractString(member, 'end'), concat(JSONExtractString(member, 'pool'), ' leaves ', slug))
            ]
        )) AS dated,
        dated.1 AS day, dated.2 AS change
    FROM
    (
        SELECT arrayJoin(JSONExtractArrayRaw(document, 'entities', 'groups')) AS entity
        FROM attribution_sets
        WHERE has(current_on, {chain:String})
    ) AS g
    ARRAY JOIN JSONExtractArrayRaw(entity, 'members') AS member
)
WHERE day <= toString(toDate({at:DateTime64(3, 'UTC')}))
GROUP BY day
ORDER BY day
