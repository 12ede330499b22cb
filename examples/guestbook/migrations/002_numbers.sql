create table numbers (
  n bigint primary key,
  id uuid not null unique,
  size bigint not null,
  sha256 text not null,
  created_at timestamptz not null default now()
);

create table daily_counts (
  day date primary key,
  entries bigint not null
);
