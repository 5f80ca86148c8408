// One pass over @clickhouse/client. Prints a JSON line for each step; tests/clients/programs.py describes the exchange.
import { createClient, ClickHouseLogLevel } from '@clickhouse/client'
import { createInterface } from 'node:readline'

const env = process.env
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const client = createClient({
  url: `http://127.0.0.1:${env.CLIENT_HTTP_PORT}`,
  username: env.CLIENT_USER,
  password: env.CLIENT_PASSWORD,
  database: env.CLIENT_DATABASE,
  log: { level: ClickHouseLogLevel.OFF },
  clickhouse_settings: { output_format_json_quote_64bit_integers: 1, output_format_json_quote_decimals: 1 },
})

async function rows(query, query_params) {
  return (await client.query({ query, query_params, format: 'JSONCompactEachRow' })).json()
}

async function step(name, run) {
  let line
  try {
    line = { step: name, value: await run() }
  } catch (error) {
    line = { step: name, code: Number(error.code ?? -1), message: String(error.message) }
  }
  console.log(JSON.stringify(line))
}

await step('connect', async () => (await rows('SELECT version()'))[0][0])
await step('list', async () => (await rows('SHOW TABLES')).map((row) => row[0]).sort())
await step('describe', async () => (await rows('DESCRIBE TABLE typed')).map((row) => row.slice(0, 2)))
await step('select', async () => (await rows(env.CLIENT_SELECT))[0])
await step('parameters', async () => (await rows('SELECT {n:Int32}, {s:String}', { n: 7, s: env.CLIENT_TEXT }))[0])
await step('insert', async () => {
  await client.insert({ table: env.CLIENT_TABLE, values: [1, 2, 3].map((n) => ({ n, s: `row ${n}` })), format: 'JSONEachRow' })
  return rows(`SELECT n, s FROM ${env.CLIENT_TABLE} ORDER BY n`)
})
await step('stream', async () => {
  let count = 0
  let sum = 0
  const answer = await client.query({ query: env.CLIENT_STREAM, format: 'JSONCompactEachRow' })
  for await (const some of answer.stream()) {
    for (const row of some) {
      count += 1
      sum += Number(row.json()[0])
    }
  }
  return [count, sum]
})
await step('error', () => rows(env.CLIENT_WRONG))
await step('cancel', async () => {
  const stop = new AbortController()
  const running = client
    .query({ query: env.CLIENT_SLOW, query_id: env.CLIENT_QUERY_ID, abort_signal: stop.signal, format: 'JSONEachRow' })
    .then(() => 'answered', () => 'stopped')
  console.log(JSON.stringify({ running: true }))
  await lines.next()
  stop.abort()
  return running
})
await client.close()
process.exit(0)
