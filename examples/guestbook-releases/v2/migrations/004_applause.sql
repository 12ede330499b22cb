create table applause (
  entry_id bigint not null references entries on delete cascade,
  author text not null,
  created_at timestamptz not null default now(),
  primary key (entry_id, author)
);
