create table entries (
  id bigint generated always as identity primary key,
  name text not null check (length(name) between 1 and 80),
  message text not null check (length(message) between 1 and 2000),
  author text,
  created_at timestamptz not null default now()
);

create table uploads (
  id uuid primary key,
  entry_id bigint not null references entries on delete cascade,
  file_name text not null,
  media_type text not null,
  size bigint not null,
  sha256 text not null
);
create index uploads_of_entry on uploads (entry_id);

create table users (
  id bigint generated always as identity primary key,
  email text not null unique,
  first_name text not null,
  last_name text not null,
  gender text,
  user_group text,
  created_at timestamptz not null default now()
);
