-- name: pool_memberships
-- description: The entities that own or control a pool by the current map, with dates, how sure they are, and sources
-- param pool String = antpool | pool, by its slug (see the view pool_names)
-- param chain String = bitcoin | chain
-- example: counterpoise sql --name pool_memberships --param pool=foundry-usa
SELECT
    JSONExtractString(entity, 'slug') AS entity_slug,
    JSONExtractString(entity, 'name') AS entity_name,
    JSONExtractString(member, 'start') AS start,
    JSONExtractString(member, 'end') AS end,
    JSONExtractString(member, 'confidence') AS confidence,
    JSONExtractString(member, 'seen') AS seen,
    JSONExtractString(member, 'source') AS source,
    JSONExtractString(member, 'seen_in') AS seen_in,
    JSONExtractString(member, 'note') AS note
FROM
(
    SELECT arrayJoin(JSONExtractArrayRaw(document, 'entities', 'groups')) AS entity
    FROM attribution_sets
    WHERE has(current_on, {chain:String})
) AS g
ARRAY JOIN JSONExtractArrayRaw(entity, 'members') AS member
WHERE JSONExtractString(member, 'pool') = {pool:String}
ORDER BY start, entity_slug
