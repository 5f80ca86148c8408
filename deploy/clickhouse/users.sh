#!/bin/sh
# Creates the ClickHouse users of sql/recipes, one per service and one for people, and gives each the password of its secret. The job `users`
# of compose runs this at each start. For a ClickHouse server of your own, run it where clickhouse-client is:
#
#   CLICKHOUSE_HOST=… CLICKHOUSE_USER=… SECRETS=deploy/secrets RECIPES="sql/recipes/services.sql sql/recipes/read_only_user.sql" \
#     sh deploy/clickhouse/users.sh --secure --port 9440
#
# CLICKHOUSE_USER is an administrator with the password of $SECRETS/clickhouse_password; that of the user desk is in
# $SECRETS/clickhouse_desk_password. COUNTERPOISE_DATASET is the database. Options go to the client. One recipe alone is fine too.
#
# The server gets salted hashes, on the client's standard input, and no password of a user. It logs the values of a statement's parameters,
# and a list of processes shows arguments.
set -eu
secrets=${SECRETS:-/run/secrets}
recipes=${RECIPES:-/recipes/services.sql /recipes/read_only_user.sql}
dataset=${COUNTERPOISE_DATASET:-counterpoise}
ends=$(printf '\n\r') # in this order: a newline at the end would be dropped

fail() {
  echo "$1" >&2
  exit 2
}

case $dataset in
  *[!a-z0-9_]*) fail "COUNTERPOISE_DATASET is '$dataset': expected lower-case letters, digits and _" ;;
esac

# $password of the user $1, read as the services read it: without line breaks at the end.
read_password() {
  file=$secrets/clickhouse_${1}_password
  [ -r "$file" ] || fail "$file is missing or empty: see the first lines of docker-compose.yml"
  password=$(cat "$file")
  while [ "$password" != "${password%["$ends"]}" ]; do password=${password%["$ends"]}; done
  case $password in
    '') fail "$file is missing or empty: see the first lines of docker-compose.yml" ;;
    *["$ends"]*) fail "$file has more than one line: expected a password" ;;
  esac
}

# sed's commands that put the dataset, the hashes and the salts into the recipes.
edits() {
  printf '%s\n' "s/ ON counterpoise\./ ON $dataset./"
  for user in $users; do
    read_password "$user"
    salt=$(od -A n -N 16 -t x1 /dev/urandom | tr -d ' \n')
    hash=$(printf '%s' "$password$salt" | sha256sum) # printf is the shell's own: no process has the password
    hash=${hash%% *}
    [ "${#salt} ${#hash}" = "32 64" ] || fail "the password of $user cannot be hashed: expected od, tr and sha256sum"
    printf '%s\n' "s/{${user}_hash:String}/'$hash'/; s/{${user}_salt:String}/'$salt'/"
  done
}

# Made whole first: a secret that is missing must not end in half of the users. $recipes is split into its files.
users=$(sed -n 's/^CREATE USER .* BY {\([a-z]*\)_hash:String}.*/\1/p' $recipes)
commands=$(edits)
statements=$(printf '%s\n' "$commands" | sed -f /dev/stdin $recipes)
CLICKHOUSE_PASSWORD=$(cat "$secrets/clickhouse_password")
export CLICKHOUSE_PASSWORD
printf '%s\n' "$statements" | clickhouse-client --host "$CLICKHOUSE_HOST" --user "$CLICKHOUSE_USER" --multiquery "$@"
