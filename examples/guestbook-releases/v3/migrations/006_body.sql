-- The message is called body, and a file is only a file: its media type is dropped.
alter table entries rename column message to body;
alter table uploads drop column media_type;
