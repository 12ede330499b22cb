/** Counts the entries of every day again and returns how many days have some. Safe to repeat and to run twice. */
export async function countDays(pool) {
  const { rowCount } = await pool.query(
    `insert into daily_counts (day, entries)
     select created_at::date, count(*) from entries group by 1
     on conflict (day) do update set entries = excluded.entries`,
  )
  return rowCount
}
