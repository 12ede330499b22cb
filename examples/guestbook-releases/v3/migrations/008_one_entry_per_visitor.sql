-- Refused by the database as soon as two entries have the same name: this is where release 3 breaks.
create unique index one_entry_per_visitor on entries (name_key);
