-- Every entry knows its visitor whatever the spelling, so that a visitor's entries are found by an index.
alter table entries add column name_key text;
update entries set name_key = lower(btrim(name));
alter table entries alter column name_key set not null;
create index entries_of_visitor on entries (name_key, id desc);
