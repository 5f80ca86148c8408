#!/bin/sh
# Creates the ClickHouse users of compose, one per service, and gives each the password of its secret. The job `users` runs this at each
# start with ClickHouse's own client. COUNTERPOISE_DATASET is the database, CLICKHOUSE_USER an administrator on CLICKHOUSE_HOST.
#
# Passwords go to the client on its standard input, where no list of processes shows them.
set -eu
secrets=${SECRETS:-/run/secrets}
recipes=${RECIPES:-/recipes}
dataset=${COUNTERPOISE_DATASET:-counterpoise}

case $dataset in
  *[!a-z0-9_]*) echo "COUNTERPOISE_DATASET is '$dataset': expected lower-case letters, digits and _" >&2; exit 2 ;;
esac

parameters() {
  for user in migrate ingest market streams alerts desk reader; do
    file=$secrets/clickhouse_${user}_password
    [ -s "$file" ] || { echo "$file is missing or empty: see the first lines of docker-compose.yml" >&2; exit 2; }
    # A quote or a backslash would end the text.
    password=$(sed -e 's/[\\'"'"']/\\&/g' "$file")
    printf "SET param_%s_password = '%s';\n" "$user" "$password"
  done
}

# Made whole first: a secret that is missing must not end in half of the users.
statements=$(parameters && sed "s/ ON counterpoise\./ ON $dataset./" "$recipes/services.sql" "$recipes/read_only_user.sql")
CLICKHOUSE_PASSWORD=$(cat "$secrets/clickhouse_password")
export CLICKHOUSE_PASSWORD
printf '%s\n' "$statements" | clickhouse-client --host "$CLICKHOUSE_HOST" --user "$CLICKHOUSE_USER" --multiquery
