// Asks PostgreSQL by `pg`, unchanged, over a lease: its `stream` option takes one.
import pg from 'pg'
import { connectPool } from 'sockpool/client'

const { SOCKPOOL_URL: url = 'http://127.0.0.1:7070', SOCKPOOL_TOKEN: token = '' } = process.env
const pool = connectPool(url, { token })
const lease = await pool.lease('db')
const stream = lease.toDuplex()
const client = new pg.Client({ user: 'postgres', database: 'test', stream: () => stream })
await client.connect()
const { rows } = await client.query('SELECT 6 * 7 AS answer')
console.log(rows[0].answer)
await client.end()
await pool.close()
